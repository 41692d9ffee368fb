"""The commands and what they share."""

from __future__ import annotations

from typing import Annotated

import typer

from kfp_sdg import __version__
from kfp_sdg.cli.blocks import blocks_app
from kfp_sdg.cli.compile import compile_command
from kfp_sdg.cli.generate import generate_command
from kfp_sdg.cli.images import images_app
from kfp_sdg.cli.migrate import migrate_command
from kfp_sdg.cli.mix import mix_command
from kfp_sdg.cli.run import run_command
from kfp_sdg.cli.submit import submit_command
from kfp_sdg.cli.teacher import teacher_app
from kfp_sdg.cli.validate import validate_command

app = typer.Typer(
    help=(
        "Synthetic training data from SDG pipelines: write a pipeline as YAML, run it here or "
        "compile it for Kubeflow Pipelines."
    ),
    epilog=(
        "Start with: `kfp-sdg run examples/demo --input rows.jsonl --output out --teacher embedded`"
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("validate")(validate_command)
app.command("run")(run_command)
app.command("compile")(compile_command)
app.command("generate")(generate_command)
app.command("mix")(mix_command)
app.command("submit")(submit_command)
app.command("migrate")(migrate_command)
app.add_typer(blocks_app, name="blocks")
app.add_typer(images_app, name="images")
app.add_typer(teacher_app, name="teacher")


def _print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"kfp-sdg {__version__}")
        raise typer.Exit


@app.callback()
def common_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Hold what may stand before every command."""
