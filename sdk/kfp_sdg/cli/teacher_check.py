"""``kfp-sdg teacher check``: the preflight of a run, from this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import (
    ConfigRootOption,
    PluginOption,
    ReportFormat,
    ReportFormatOption,
)
from kfp_sdg.cli.pipeline_file import PipelineSource, is_set
from kfp_sdg.cli.run_options import (
    TEACHER,
    MaxNumTokensOption,
    ModelFamilyOption,
    ModelIdOption,
    TeacherEndpointOption,
)
from kfp_sdg.cli.teachers import choose_teacher
from kfp_sdg.errors import TeacherError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kfp_sdg.engine.needs import BlockNeed
    from kfp_sdg.runtime.preflight_report import PreflightReport
    from kfp_sdg.spec import PipelineSpec


def check_command(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="The base URL of an OpenAI-compatible server, such as http://localhost:8000/v1. "
            "Its key comes from KFP_SDG_API_KEY or the file named by KFP_SDG_API_KEY_FILE.",
            show_default=False,
        ),
    ],
    pipeline: Annotated[
        list[str] | None,
        typer.Option(
            "--pipeline",
            metavar="PIPELINE",
            help="A pipeline, or a folder of pipelines, whose needs the teacher has to meet: a "
            "file, or a shipped one such as instructlab/full. May be repeated.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A model or an adapter that the teacher has to serve. May be repeated.",
            show_default=False,
        ),
    ] = None,
    teacher_endpoint: TeacherEndpointOption = None,
    model_id: ModelIdOption = None,
    model_family: ModelFamilyOption = None,
    max_num_tokens: MaxNumTokensOption = 4096,
    context_length: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Tokens that a prompt with its row and its answer take together; 0 if not known.",
            rich_help_panel=TEACHER,
        ),
    ] = 0,
    constrain: Annotated[
        bool, typer.Option("--constrain", help="Check that the server obeys grammars.")
    ] = False,
    teacher_patience: Annotated[
        int,
        typer.Option(
            metavar="SECONDS", min=0, help="How long to wait for a teacher that is coming up."
        ),
    ] = 15,
    teacher_timeout: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, help="How long one token may take.")
    ] = 120,
    report_format: ReportFormatOption = ReportFormat.TEXT,
    config_root: ConfigRootOption = None,
    plugin: PluginOption = None,
    debug: DebugOption = False,
) -> None:
    """Check that a teacher can do what pipelines will ask of it.

    Its URL, certificate and key, the models and adapters that it serves, its context length, and a
    one-token answer of each model by the endpoint that the blocks use. Everything that is wrong is
    told at once. Exits 1 if anything is.

    Example: `kfp-sdg teacher check http://localhost:8000/v1 --pipeline instructlab/full`

    With --format json, standard output has one object: ready, findings (check, subject, state,
    text).
    """
    from kfp_sdg.cli.notices import logged_warnings
    from kfp_sdg.engine.needs import BlockNeed
    from kfp_sdg.runtime.preflight_checks import inspect_teachers
    from kfp_sdg.teacher import TeacherOptions
    from kfp_sdg.teacher.options import base_url

    choice = choose_teacher(None, None, teacher_endpoint or ())
    source = PipelineSource(config_root or (), plugin or ())
    needs: Sequence[BlockNeed] = [
        *_needs(pipeline or (), source),
        *(BlockNeed(insisted=name) for name in dict.fromkeys(model or ())),
    ]
    options = TeacherOptions(
        url=base_url(url, option="URL"),
        endpoints=choice.endpoints,
        timeout=teacher_timeout,
        patience=teacher_patience,
        patience_at_start=teacher_patience,
    )
    with logged_warnings():
        report = inspect_teachers(
            needs,
            options,
            model_id=model_id,
            model_family=model_family,
            max_num_tokens=max_num_tokens,
            context_length=context_length,
            constrain=constrain,
        )
    _show(report, report_format)
    if report.failed:
        raise typer.Exit(TeacherError.exit_code)


def _needs(pipelines: Iterable[str], source: PipelineSource) -> Sequence[BlockNeed]:
    from kfp_sdg.engine.needs import needs_of

    return needs_of(spec for pipeline in pipelines for spec in _specs(pipeline, source))


def _specs(pipeline: str, source: PipelineSource) -> Iterator[PipelineSpec]:
    """Yield a pipeline, or all those of a set, with the one that writes questions to test with."""
    if not is_set(pipeline):
        yield source.load(pipeline)
        return
    from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline

    found = source.load_set(pipeline)
    yield from filter(None, (found.knowledge, found.freeform, found.grounded))
    if found.knowledge:
        yield evaluation_pipeline()


def _show(report: PreflightReport, report_format: ReportFormat) -> None:
    if report_format is ReportFormat.JSON:
        typer.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
        return
    from rich.text import Text

    from kfp_sdg.cli.console import output_console

    styles = {"passed": "green", "warning": "yellow", "failed": "bold red"}
    console = output_console()
    for finding in report.findings:
        line = Text(f"{finding.state:<8}", style=styles[finding.state])
        line.append(f"{finding.check:<8} ", style="bold")
        line.append(f"{finding.subject}: {finding.text}", style="")
        console.print(line, soft_wrap=not console.is_terminal, highlight=False)
    console.print(report.verdict, style="bold", highlight=False)
