"""``kfp-sdg validate``: find everything that is wrong before anything runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.numbers import blocks_phrase
from kfp_sdg.cli.options import (
    ConfigRootOption,
    PipelinesArgument,
    PluginOption,
    ReportFormat,
    ReportFormatOption,
)
from kfp_sdg.cli.pipeline_file import PipelineSource
from kfp_sdg.errors import SpecError

if TYPE_CHECKING:
    from kfp_sdg.errors import Problem


def validate_command(
    pipelines: PipelinesArgument,
    report_format: ReportFormatOption = ReportFormat.TEXT,
    config_root: ConfigRootOption = None,
    plugin: PluginOption = None,
    debug: DebugOption = False,
) -> None:
    """Check pipelines and the files they name: keys, types, prompts, paths.

    All problems of a file are told at once, each with its line. Exits 2 if there is any.

    Example: `kfp-sdg validate my_pipeline.yaml`

    With --format json, standard output has one object: valid, problems, warnings.
    """
    source = PipelineSource(config_root or (), plugin or ())
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for pipeline in pipelines:
        try:
            spec = source.load(pipeline)
        except SpecError as error:
            problems.extend(error.problems)
        else:
            warnings.extend(spec.warnings)
            if report_format is ReportFormat.TEXT:
                typer.echo(f"{pipeline}: valid, {blocks_phrase(len(spec.blocks))}")
    if report_format is ReportFormat.JSON:
        typer.echo(json.dumps(_report(problems, warnings), indent=2, ensure_ascii=False))
    else:
        from kfp_sdg.cli.problems import show_problems

        show_problems(warnings, warnings=True)
        show_problems(problems)
    if problems:
        raise typer.Exit(SpecError.exit_code)


def _report(problems: list[Problem], warnings: list[Problem]) -> dict[str, Any]:
    """Return what programs read."""
    from kfp_sdg.spec.problems import problem_as_dict

    return {
        "valid": not problems,
        "problems": [problem_as_dict(problem, "error") for problem in problems],
        "warnings": [problem_as_dict(warning, "warning") for warning in warnings],
    }
