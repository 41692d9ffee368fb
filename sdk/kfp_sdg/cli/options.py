"""Arguments and options that several commands share, each described once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ReportFormat(StrEnum):
    """Who reads a report."""

    TEXT = "text"
    JSON = "json"


ReportFormatOption = Annotated[
    ReportFormat, typer.Option("--format", help="For people, or for programs.")
]
PipelineArgument = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE",
        help="A pipeline's YAML file, or a shipped one such as instructlab/full/knowledge.",
        show_default=False,
    ),
]
PipelinesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PIPELINE…",
        help="YAML files, or shipped pipelines such as instructlab/full/knowledge.",
        show_default=False,
    ),
]
ConfigRootOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--config-root",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="A further folder for the files that the pipeline names. May be repeated.",
        show_default=False,
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE",
        help="A Python module that registers custom blocks or prompts. May be repeated.",
        show_default=False,
    ),
]
