"""``kfp-sdg migrate``: settings of another tool become a run of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import ReportFormat, ReportFormatOption
from kfp_sdg.cli.output_files import refuse_input
from kfp_sdg.text_files import write_file

_PARAMS = "params.yaml"


def migrate_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A parameter file of ilab-on-ocp's pipeline, or InstructLab's config.yaml.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PARAMS.yaml",
            help="The parameter file to write, for kfp-sdg submit --params. Not given: nothing is "
            "written.",
            show_default=False,
        ),
    ] = None,
    teacher_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The teacher's base URL, which the file does not hold."),
    ] = None,
    model_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The model that the teacher is asked for.")
    ] = None,
    report_format: ReportFormatOption = ReportFormat.TEXT,
    debug: DebugOption = False,
) -> None:
    """Turn settings of InstructLab on OpenShift AI into a run of kfp-sdg's workflow.

    Tells what each setting becomes, which have no counterpart and why, what is left to decide, and
    the commands to type. With --output, the parameters are written to a file.

    Example: `kfp-sdg migrate pipeline_params.yaml -o params.yaml`

    With --format json, standard output has one object: kind, parameters, entries, decisions,
    commands, warnings.
    """
    from kfp_sdg.cli.notices import show_warnings
    from kfp_sdg.cluster.migrate import migrate
    from kfp_sdg.cluster.migrate.write import as_json, parameter_file, report
    from kfp_sdg.teacher.options import base_url

    if output is not None:
        refuse_input(output, [file])
    url = base_url(teacher_url, option="--teacher-url") if teacher_url else ""
    migration = migrate(file, teacher_url=url, model_id=(model_id or "").strip())
    if output is not None:
        write_file(output, parameter_file(migration))
    params = str(output or _PARAMS)
    if report_format is ReportFormat.JSON:
        typer.echo(json.dumps(as_json(migration, params), indent=2, ensure_ascii=False))
        return
    show_warnings(migration.warnings)
    typer.echo(report(migration, params))
    if output is None:
        typer.echo(f"Nothing is written; with -o {_PARAMS} the parameters are.")
    else:
        typer.echo(f"{output}: {len(migration.parameters)} parameters")
