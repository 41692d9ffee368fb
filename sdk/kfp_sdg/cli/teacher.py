"""``kfp-sdg teacher``: what has to do with the model server itself."""

from __future__ import annotations

import typer

from kfp_sdg.cli.teacher_check import check_command
from kfp_sdg.cli.teacher_lifecycle import start_command, status_command, stop_command
from kfp_sdg.cli.teacher_render import render_command

teacher_app = typer.Typer(
    help="The teacher, the model server that pipelines ask.", no_args_is_help=True
)
teacher_app.command("check")(check_command)
teacher_app.command("start")(start_command)
teacher_app.command("stop")(stop_command)
teacher_app.command("status")(status_command)
teacher_app.command("render")(render_command)
