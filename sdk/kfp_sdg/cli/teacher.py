"""``kfp-sdg teacher``: what has to do with the model server itself."""

from __future__ import annotations

import typer

from kfp_sdg.cli.teacher_check import check_command

teacher_app = typer.Typer(
    help="The teacher, the model server that pipelines ask.", no_args_is_help=True
)
teacher_app.command("check")(check_command)
