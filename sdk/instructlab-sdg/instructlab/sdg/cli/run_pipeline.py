"""Run a pipeline over a file of rows: ``python -m instructlab.sdg.cli.run_pipeline``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NUM_INSTRUCTIONS = 30
"""What ``n: scaled`` stands for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a pipeline.

    Args:
        arguments: The command line; that of the process if None.

    Returns:
        The exit code: 0, or 1 after an error, which is told in one line.
    """
    from instructlab.sdg.pipeline import PipelineBlockError, PipelineConfigParserError
    from instructlab.sdg.utils.logging import setup_logger
    from kfp_sdg.errors import SdgError

    options = _parser().parse_args(arguments)
    setup_logger(options.log_level.upper())
    try:
        _run(options)
    except (PipelineBlockError, PipelineConfigParserError, SdgError, OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - this is a command line
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    import openai

    from instructlab.sdg.pipeline import Pipeline, PipelineContext
    from instructlab.sdg.utils.json import jldump
    from kfp_sdg.storage import read_rows

    client = openai.OpenAI(base_url=options.endpoint_url, api_key=options.api_key)
    context = PipelineContext(client, options.model_family, options.model_id, NUM_INSTRUCTIONS)
    pipeline = Pipeline.from_file(context, options.pipeline.absolute())
    made = pipeline.generate_table(read_rows(options.input))
    jldump(made.to_pylist(), options.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m instructlab.sdg.cli.run_pipeline",
        description="Run a pipeline over rows. `kfp-sdg run` does the same, and more.",
    )
    parser.add_argument("--pipeline", type=Path, required=True, help="The pipeline's YAML file.")
    parser.add_argument("--input", type=Path, required=True, help="The rows, as JSON lines.")
    parser.add_argument("--output", type=Path, required=True, help="Where the results go.")
    parser.add_argument(
        "--endpoint-url",
        default="http://localhost:8000/v1",
        help="The server of the teacher. Default: %(default)s",
    )
    parser.add_argument(
        "--model-family", default="mixtral", help="The teacher's chat format. Default: %(default)s"
    )
    parser.add_argument("--model-id", help="The teacher, as its server names it.")
    parser.add_argument("--api-key", default="EMPTY", help="The key that the server wants.")
    parser.add_argument(
        "--log-level", default=os.getenv("LOG_LEVEL", "INFO"), help="Default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
