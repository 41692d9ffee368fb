"""``kfp-sdg generate``: the whole InstructLab workflow, here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import ConfigRootOption, PluginOption
from kfp_sdg.cli.run_options import (
    FAILURES,
    GENERATION,
    CheckpointOption,
    ConstrainOption,
    LogFormatOption,
    MaxConcurrencyOption,
    MaxNumTokensOption,
    MaxRejectedOption,
    ModelFamilyOption,
    ModelIdOption,
    NoCheckpointOption,
    TeacherEndpointOption,
    TeacherOption,
    TeacherPatienceOption,
    TeacherTimeoutOption,
    TeacherUrlOption,
)
from kfp_sdg.cli.teachers import DEFAULT_TIMEOUT, choose_teacher

if TYPE_CHECKING:
    from kfp_sdg.cli.asking import AskingOrder
    from kfp_sdg.cli.run_options import LogFormat
    from kfp_sdg.instructlab.workflow import WorkflowOrder, WorkflowResult

_TAXONOMY = "Taxonomy and documents"
_TRAINING = "Training data"
_SCALE = 30
"""InstructLab's scale factor."""

_SCALE_EMBEDDED = 2
_SEED = 42
"""``kfp_sdg.instructlab.mixing.DEFAULT_SEED``, which ``--help`` need not import."""


def generate_command(
    taxonomy: Annotated[
        Path,
        typer.Option(
            "--taxonomy",
            "-t",
            metavar="DIR",
            help="The taxonomy's folder, a folder in it, or one qna.yaml.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The folder for the results. What a run leaves has its date in its name, so runs "
            "lie beside each other.",
            show_default=False,
        ),
    ],
    taxonomy_base: Annotated[
        str,
        typer.Option(
            metavar="REVISION",
            help="Generate for leaves that were added or changed since this branch or commit, such "
            "as origin/main. empty: for all leaves.",
            rich_help_panel=_TAXONOMY,
        ),
    ] = "empty",
    yaml_rules: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A configuration of yamllint for the qna.yaml files. Not given: InstructLab's.",
            rich_help_panel=_TAXONOMY,
            show_default=False,
        ),
    ] = None,
    chunk_word_count: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="The most words in a piece of a document that rows are generated from.",
            rich_help_panel=_TAXONOMY,
        ),
    ] = 1000,
    server_ctx_size: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="The teacher's context in tokens, which a piece, its prompt and the answer share.",
            rich_help_panel=_TAXONOMY,
        ),
    ] = 4096,
    docling_models: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of docling's models, which recognise the layout of PDF documents. Not "
            "given: the one that models/config.yaml in the data folders instructlab/sdg names.",
            rich_help_panel=_TAXONOMY,
            show_default=False,
        ),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="simple: one question for each row, for small models. full: judges sort out what "
            "is poor. llama: full for Llama models. Or a folder with knowledge.yaml, "
            "freeform_skills.yaml and grounded_skills.yaml, or the name of one in the data folders "
            "instructlab/sdg/pipelines. Not given: full; simple with the embedded teacher.",
            rich_help_panel=GENERATION,
            show_default=False,
        ),
    ] = None,
    scale_factor: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="How many instructions to generate from each seed example, or from each pair of a "
            "document's piece and a seed example. Not given: 30; 2 with the embedded teacher, "
            "which is slow.",
            rich_help_panel=GENERATION,
            show_default=False,
        ),
    ] = None,
    leaf_scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEAF=N",
            help="Another scale factor for a leaf: its path or name, or a pattern such as "
            "knowledge/science/*. May be repeated.",
            rich_help_panel=GENERATION,
            show_default=False,
        ),
    ] = None,
    max_num_tokens: MaxNumTokensOption = 4096,
    constrain: ConstrainOption = None,
    teacher_url: TeacherUrlOption = None,
    teacher: TeacherOption = None,
    teacher_endpoint: TeacherEndpointOption = None,
    model_id: ModelIdOption = None,
    model_family: ModelFamilyOption = None,
    max_concurrency: MaxConcurrencyOption = None,
    system_prompt: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What the system says in the training data. Not given: a general text.",
            rich_help_panel=_TRAINING,
            show_default=False,
        ),
    ] = None,
    skills_sampling_size: Annotated[
        str,
        typer.Option(
            metavar="N|SHARE",
            help="How much of what each skill leaf gave goes into the mix: a number of rows (a "
            "smaller leaf's rows are repeated), or a share such as 0.5; 1.0: all rows.",
            rich_help_panel=_TRAINING,
        ),
    ] = "30",
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Another seed mixes other rows into the training data.",
            rich_help_panel=_TRAINING,
        ),
    ] = _SEED,
    no_eval: Annotated[
        bool,
        typer.Option(
            "--no-eval",
            help="Make no questions to test the trained model with.",
            rich_help_panel=_TRAINING,
        ),
    ] = False,
    date_suffix: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What names in the output folder end in. Not given: the date and time, or those "
            "of an unfinished run of the same taxonomy, which this one goes on with.",
            rich_help_panel=_TRAINING,
            show_default=False,
        ),
    ] = None,
    allow_empty: Annotated[
        bool,
        typer.Option(
            "--allow-empty",
            help="Do not fail when nothing came of a leaf.",
            rich_help_panel=FAILURES,
        ),
    ] = False,
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
    """Make training and evaluation data of an InstructLab taxonomy.

    Reads the qna.yaml files, fetches the documents of knowledge, generates rows for every leaf,
    and mixes them into knowledge_train_msgs_DATE.jsonl and skills_train_msgs_DATE.jsonl. A run that
    fails or is stopped keeps all answers in DIR/checkpoint; the same command goes on from there.
    Exits with 1 if nothing came of a leaf, and says why.

    Example: `kfp-sdg generate --taxonomy ./taxonomy --output data --teacher embedded`
    """
    from kfp_sdg.cli.asking import AskingOrder
    from kfp_sdg.cli.pipeline_file import PipelineSource
    from kfp_sdg.instructlab.documents import DoclingConverter, GitAccess
    from kfp_sdg.instructlab.mixing import DEFAULT_SYSTEM_PROMPT, TrainingSettings
    from kfp_sdg.instructlab.pipeline_set import find_pipelines
    from kfp_sdg.instructlab.workflow import WorkflowOrder

    choice = choose_teacher(
        teacher,
        teacher_url,
        teacher_endpoint or (),
        max_concurrency,
        patience=teacher_patience,
        timeout=teacher_timeout,
    )
    asking = AskingOrder.read(
        choice,
        output,
        checkpoint=checkpoint,
        no_checkpoint=no_checkpoint,
        max_rejected=max_rejected,
        model_id=model_id,
        model_family=model_family,
        num_instructions=scale_factor or (_SCALE_EMBEDDED if choice.embedded else _SCALE),
        max_num_tokens=max_num_tokens,
        constrain=constrain,
    )
    PipelineSource(plugins=plugin or ()).load_plugins()
    order = WorkflowOrder(
        taxonomy=taxonomy,
        output=output,
        pipelines=find_pipelines(
            pipeline or ("simple" if choice.embedded else "full"), config_roots=config_root or ()
        ),
        date_suffix=date_suffix,
        taxonomy_base=taxonomy_base,
        yaml_rules=yaml_rules,
        chunk_word_count=chunk_word_count,
        server_ctx_size=server_ctx_size,
        scale_factors=dict(map(_leaf_scale, leaf_scale or ())),
        access=GitAccess.from_environment(os.environ),
        converter=DoclingConverter(docling_models),
        evaluate=not no_eval,
        training=TrainingSettings(
            system_prompt=system_prompt or DEFAULT_SYSTEM_PROMPT,
            skills_sampling_size=_sampling_size(skills_sampling_size),
            seed=seed,
        ),
        allow_empty=allow_empty,
    )
    _carry_out(order, asking, log_format)


def _carry_out(order: WorkflowOrder, asking: AskingOrder, log_format: LogFormat | None) -> None:
    """Run the workflow while somebody watches, and show what came of it."""
    from kfp_sdg.cli.checkpoint import discard, tell_kept
    from kfp_sdg.cli.console import error_console, say
    from kfp_sdg.cli.leaves import part_phrase
    from kfp_sdg.cli.notices import logged_warnings, show_warnings
    from kfp_sdg.cli.progress import watcher_for
    from kfp_sdg.cli.runners import ended_in_order
    from kfp_sdg.instructlab.workflow import NothingCameError, run_workflow

    console = error_console()
    watcher = watcher_for(log_format, console)
    show_warnings(order.pipelines.warnings)

    def tell(message: str) -> None:
        say(message, console=console)

    with ended_in_order():
        try:
            with logged_warnings(watcher.warn), watcher:
                result = run_workflow(
                    order,
                    lambda: asking.open(watcher, tell),
                    observer=watcher,
                    on_part=lambda part: tell(part_phrase(part)),
                    tell=tell,
                )
        except NothingCameError as error:
            _show(error.result, watcher.seconds)
            tell_kept(asking.checkpoint, error, "another run asks only for what is new")
            raise
        except BaseException as error:
            tell_kept(asking.checkpoint, error)
            raise
        others = result.folder.others_unfinished
        if not others:  # whose answers are in the same place
            discard(asking.checkpoint)
    _show(result, watcher.seconds)
    if others and asking.checkpoint:
        runs = ", ".join(others)
        say(f"{asking.checkpoint.place} stays: the run of {runs} has not succeeded yet.")
    for outcome in result.outcomes:
        if outcome.is_empty:
            say(f"nothing came of {outcome}", label="Warning")


def _sampling_size(text: str) -> int | float:
    """Return the number of rows or the share of them that is meant."""
    from kfp_sdg.instructlab.mixing import parse_sampling_size

    try:
        return parse_sampling_size(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a number of rows such as 30 nor a share of them such as 0.5",
            param_hint="--skills-sampling-size",
        ) from None


def _show(result: WorkflowResult, seconds: float) -> None:
    """Show what came of the taxonomy, to people and to machines if one listens."""
    from kfp_sdg.cli.console import error_console, output_console, say, speaks_json, write_json
    from kfp_sdg.cli.leaves import result_events, show_result

    show_result(output_console(), result, seconds=seconds)
    if speaks_json():
        for event, values in result_events(result):
            write_json(error_console(), event, **values)
    for outcome in result.outcomes:
        if why := outcome.why_no_questions:
            say(f"there are no questions to test {outcome.leaf} with: {why}", label="Warning")


def _leaf_scale(text: str) -> tuple[str, int]:
    """Return the leaf and the number of ``LEAF=N``."""
    leaf, equals, number = text.rpartition("=")
    if not (equals and leaf and number.strip().isdecimal() and int(number)):
        raise typer.BadParameter(
            f"{text!r} is not of the form LEAF=N, for example knowledge/science/animals=60",
            param_hint="--leaf-scale",
        )
    return leaf, int(number)
