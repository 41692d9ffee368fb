"""``kfp-sdg run``: rows go through a pipeline, here."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import (
    ConfigRootOption,
    PipelineArgument,
    PluginOption,
)
from kfp_sdg.cli.pipeline_file import PipelineSource
from kfp_sdg.cli.teachers import DEFAULT_TIMEOUT, choose_teacher
from kfp_sdg.errors import BlockError

if TYPE_CHECKING:
    from kfp_sdg.cli.runners import RunOrder
    from kfp_sdg.spec import PipelineSpec

_TEACHER = "Teacher"
_GENERATION = "Generation"
_FAILURES = "When something fails"


class Runner(StrEnum):
    """Where the blocks run."""

    ENGINE = "engine"
    KFP = "kfp"


class LogFormat(StrEnum):
    """How a run shows how far it is."""

    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"


def _speak(log_format: LogFormat | None) -> LogFormat | None:
    """Let what is said before the run be in its format."""
    from kfp_sdg.cli.console import speak_json

    speak_json(log_format is LogFormat.JSON)
    return log_format


def run_command(
    pipeline: PipelineArgument,
    rows: Annotated[
        str,
        typer.Option(
            "--input",
            "-i",
            metavar="ROWS",
            help="The rows to start from: .jsonl, .json, .csv, .parquet, or a dataset folder; a "
            "path or a URL such as s3://bucket/rows.jsonl.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder for the results. It may hold results of an earlier run, which are "
            "replaced, and nothing else.",
            show_default=False,
        ),
    ],
    runner: Annotated[
        Runner,
        typer.Option(
            help="engine: in this process. kfp: compiled, each block a task of KFP's local runner."
        ),
    ] = Runner.ENGINE,
    teacher_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The base URL of an OpenAI-compatible server, such as http://localhost:8000/v1. "
            "Its key comes from KFP_SDG_API_KEY or the file named by KFP_SDG_API_KEY_FILE.",
            rich_help_panel=_TEACHER,
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="embedded[:PATH.gguf]",
            help="A small model that is started here and stopped at the end; no GPU needed.",
            rich_help_panel=_TEACHER,
        ),
    ] = None,
    teacher_endpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=URL",
            help="A further server for blocks whose model_id is ID. May be repeated.",
            rich_help_panel=_TEACHER,
            show_default=False,
        ),
    ] = None,
    model_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The model to ask, over what the blocks say.",
            rich_help_panel=_TEACHER,
        ),
    ] = None,
    model_family: Annotated[
        str | None,
        typer.Option(
            metavar="FAMILY",
            help="The chat format, over what the blocks say: granite, merlinite, mixtral, mistral, "
            "llama, blank, or chat for the server's own.",
            rich_help_panel=_TEACHER,
        ),
    ] = None,
    max_concurrency: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="The most answers in the making at once. The best number finds itself; this only "
            "caps it.",
            rich_help_panel=_TEACHER,
        ),
    ] = None,
    num_instructions: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="The scale factor: how many answers per row a pipeline with n: scaled asks for. A "
            "row's own number in a column num_instructions_to_generate comes first.",
            rich_help_panel=_GENERATION,
        ),
    ] = 30,
    max_num_tokens: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="max_tokens of blocks that do not set their own.",
            rich_help_panel=_GENERATION,
        ),
    ] = 4096,
    constrain: Annotated[
        bool | None,
        typer.Option(
            "--constrain/--no-constrain",
            help="Send a grammar with each request, so that every answer can be parsed. "
            "On for the embedded teacher, off for others.",
            rich_help_panel=_GENERATION,
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URL",
            help="Where every answer is kept as soon as it is there, so that the same command goes "
            "on after a failure. Not given: the folder checkpoint in that of --output, removed "
            "when the run has succeeded; one that is given stays.",
            rich_help_panel=_FAILURES,
        ),
    ] = None,
    no_checkpoint: Annotated[
        bool,
        typer.Option(
            "--no-checkpoint",
            help="Keep no answers: a run that failed begins anew.",
            rich_help_panel=_FAILURES,
        ),
    ] = False,
    max_rejected: Annotated[
        str,
        typer.Option(
            metavar="N|N%",
            help="How many rows a block may reject before the run stops: a number, or a share of "
            "its rows but at least 20 rows. 100%: any number.",
            rich_help_panel=_FAILURES,
        ),
    ] = "5%",
    teacher_patience: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="How long to wait for a teacher that is away. Not given: 600 once it has "
            "answered, 15 before.",
            rich_help_panel=_FAILURES,
        ),
    ] = None,
    teacher_timeout: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=1,
            help="How long one answer may take before it is asked for again.",
            rich_help_panel=_FAILURES,
        ),
    ] = DEFAULT_TIMEOUT,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            help="How the run shows how far it is. Not given: rich in a terminal, plain elsewhere. "
            "json: one object per line, for machines; `python -m pydoc kfp_sdg.cli.json_lines` "
            "explains the keys.",
            show_default=False,
            is_eager=True,  # what is wrong with another option is said in this format too
            callback=_speak,
        ),
    ] = None,
    plugin: PluginOption = None,
    config_root: ConfigRootOption = None,
    debug: DebugOption = False,
) -> None:
    """Run a pipeline over rows.

    Leaves DIR/dataset with the rows and DIR/rejected/BLOCK with the rows that a block could not
    use, each with its reason. A run that fails or is stopped leaves what was finished in
    DIR/partial and all answers in DIR/checkpoint; the same command goes on from there.

    Example: `kfp-sdg run examples/demo --input rows.jsonl --output out --teacher embedded`
    """
    from kfp_sdg.cli.checkpoint import choose_checkpoint
    from kfp_sdg.cli.runners import RunOrder
    from kfp_sdg.engine.tolerance import Tolerance

    if no_checkpoint and checkpoint is not None:
        raise typer.BadParameter(
            "--checkpoint asks for one; give one of them", param_hint="--no-checkpoint"
        )
    Tolerance.read(max_rejected)
    choice = choose_teacher(
        teacher,
        teacher_url,
        teacher_endpoint or (),
        max_concurrency,
        patience=teacher_patience,
        timeout=teacher_timeout,
    )
    kept_at = None if no_checkpoint else choose_checkpoint(checkpoint, output)
    asks = choice.url is not None or choice.embedded
    order = RunOrder(
        spec=PipelineSource(config_root or (), plugin or ()).load(pipeline),
        input=rows,
        output=output,
        teacher=choice,
        checkpoint=kept_at if asks else None,
        max_rejected=max_rejected,
        model_id=model_id,
        model_family=model_family,
        num_instructions=num_instructions,
        max_num_tokens=max_num_tokens,
        constrain=choice.embedded if constrain is None else constrain,
        plugins=tuple(plugin or ()),
    )
    _carry_out(order, runner, log_format)


def _carry_out(order: RunOrder, runner: Runner, log_format: LogFormat | None) -> None:
    """Run a pipeline while somebody watches, keep what comes of it, and show it."""
    from kfp_sdg.cli.checkpoint import discard, tell_kept
    from kfp_sdg.cli.console import error_console, output_console, say
    from kfp_sdg.cli.notices import logged_warnings, show_warnings
    from kfp_sdg.cli.progress import watcher_for
    from kfp_sdg.cli.runners import ended_in_order, keep_partial, run_here, run_on_kfp
    from kfp_sdg.cli.summary import show_summary

    console = error_console()
    watcher = watcher_for(log_format, console)
    show_warnings(order.spec.warnings)

    def tell(message: str) -> None:
        say(message, console=console)

    carry_out = run_here if runner is Runner.ENGINE else run_on_kfp
    with ended_in_order():
        try:
            with logged_warnings(watcher.warn), watcher:
                result = carry_out(order, watcher, tell)
        except BaseException as error:
            keep_partial(watcher, order.output)
            tell_kept(order.checkpoint, error)
            _note_place(error, order.spec)
            raise
        discard(order.checkpoint)
    show_summary(output_console(), result, order.output, seconds=watcher.seconds)


def _note_place(error: BaseException, spec: PipelineSpec) -> None:
    """Add to a block's error where the block stands in the pipeline's file."""
    name = error.block_name if isinstance(error, BlockError) else None
    for block in spec.blocks:
        if block.name == name and block.source.root.line:
            error.add_note(f"The block is at {block.source.root}.")
