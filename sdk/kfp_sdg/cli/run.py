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
from kfp_sdg.cli.run_options import (
    CheckpointOption,
    ConstrainOption,
    ContainerToolOption,
    LogFormat,
    LogFormatOption,
    MaxConcurrencyOption,
    MaxNumTokensOption,
    MaxRejectedOption,
    ModelFamilyOption,
    ModelIdOption,
    NoCheckpointOption,
    NumInstructionsOption,
    TeacherEndpointOption,
    TeacherOption,
    TeacherPatienceOption,
    TeacherTimeoutOption,
    TeacherUrlOption,
)
from kfp_sdg.cli.teachers import DEFAULT_TIMEOUT, choose_teacher

if TYPE_CHECKING:
    from kfp_sdg.cli.runners import RunOrder
    from kfp_sdg.compiler.containers import ContainerTool


class Runner(StrEnum):
    """Where the blocks run."""

    ENGINE = "engine"
    KFP = "kfp"
    CONTAINER = "container"


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
            help="engine: in this process. kfp: compiled, each block a task of KFP's local runner. "
            "container: as kfp, and each task in a container of the image that the compiled "
            "pipeline names, under OpenShift's rules: a user without a name or a capability, a "
            "read-only root, no network but the teacher."
        ),
    ] = Runner.ENGINE,
    container_tool: ContainerToolOption = None,
    teacher_url: TeacherUrlOption = None,
    teacher: TeacherOption = None,
    teacher_endpoint: TeacherEndpointOption = None,
    model_id: ModelIdOption = None,
    model_family: ModelFamilyOption = None,
    max_concurrency: MaxConcurrencyOption = None,
    num_instructions: NumInstructionsOption = 30,
    max_num_tokens: MaxNumTokensOption = 4096,
    constrain: ConstrainOption = None,
    checkpoint: CheckpointOption = None,
    no_checkpoint: NoCheckpointOption = False,
    max_rejected: MaxRejectedOption = "5%",
    teacher_patience: TeacherPatienceOption = None,
    teacher_timeout: TeacherTimeoutOption = DEFAULT_TIMEOUT,
    log_format: LogFormatOption = None,
    plugin: PluginOption = None,
    config_root: ConfigRootOption = None,
    debug: DebugOption = False,
) -> None:
    """Run a pipeline over rows.

    Leaves DIR/dataset with the rows and DIR/rejected/BLOCK with the rows that a block could not
    use, each with its reason. A run that fails or is stopped leaves what was finished in
    DIR/partial and all answers in DIR/checkpoint; the same command goes on from there.

    --runner container uses images that are on this machine; `make images` in a checkout builds
    them. Further options for every task's container come from KFP_SDG_CONTAINER_OPTIONS, such as
    "--memory=2g". Only the task that loads rows from a URL has this machine's network.

    Example: `kfp-sdg run examples/demo --input rows.jsonl --output out --teacher embedded`
    """
    from kfp_sdg.cli.asking import AskingOrder
    from kfp_sdg.cli.runners import RunOrder

    asking = AskingOrder.read(
        choose_teacher(
            teacher,
            teacher_url,
            teacher_endpoint or (),
            max_concurrency,
            patience=teacher_patience,
            timeout=teacher_timeout,
        ),
        output,
        checkpoint=checkpoint,
        no_checkpoint=no_checkpoint,
        max_rejected=max_rejected,
        model_id=model_id,
        model_family=model_family,
        num_instructions=num_instructions,
        max_num_tokens=max_num_tokens,
        constrain=constrain,
    )
    order = RunOrder(
        spec=PipelineSource(config_root or (), plugin or ()).load(pipeline),
        input=rows,
        output=output,
        asking=asking,
        plugins=tuple(plugin or ()),
        containers=_containers(runner, container_tool),
    )
    _carry_out(order, runner, log_format)


def _containers(runner: Runner, tool: str | None) -> ContainerTool | None:
    """Return what runs containers, where they are wanted.

    Raises:
        typer.BadParameter: A tool is named and containers are not wanted.
        SpecError: There is no such tool.
    """
    if runner is Runner.CONTAINER:
        from kfp_sdg.compiler.containers import find_tool

        return find_tool(tool)
    if tool is not None:
        raise typer.BadParameter(
            f"--runner {runner} has no containers; add --runner container",
            param_hint="--container-tool",
        )
    return None


def _carry_out(order: RunOrder, runner: Runner, log_format: LogFormat | None) -> None:
    """Run a pipeline while somebody watches, keep what comes of it, and show it."""
    from kfp_sdg.cli.checkpoint import discard, tell_kept
    from kfp_sdg.cli.console import error_console, output_console, say
    from kfp_sdg.cli.notices import logged_warnings, show_warnings
    from kfp_sdg.cli.progress import watcher_for
    from kfp_sdg.cli.runners import ended_in_order, keep_partial, run_here, run_on_kfp
    from kfp_sdg.cli.summary import show_summary
    from kfp_sdg.engine import note_place

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
            tell_kept(order.asking.checkpoint, error)
            note_place(error, order.spec)
            raise
        discard(order.asking.checkpoint)
    show_summary(output_console(), result, order.output, seconds=watcher.seconds)
