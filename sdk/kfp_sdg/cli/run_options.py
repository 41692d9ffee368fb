"""Options that the commands share which ask a teacher, each described once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

TEACHER = "Teacher"
GENERATION = "Generation"
FAILURES = "When something fails"
"""The parts of a command's help."""


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


TeacherUrlOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The base URL of an OpenAI-compatible server, such as http://localhost:8000/v1. "
        "Its key comes from KFP_SDG_API_KEY or the file named by KFP_SDG_API_KEY_FILE.",
        rich_help_panel=TEACHER,
    ),
]
TeacherOption = Annotated[
    str | None,
    typer.Option(
        metavar="embedded[:PATH.gguf]",
        help="A small model that is started here and stopped at the end; no GPU needed.",
        rich_help_panel=TEACHER,
    ),
]
TeacherEndpointOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID=URL",
        help="A further server for blocks whose model_id is ID. May be repeated.",
        rich_help_panel=TEACHER,
        show_default=False,
    ),
]
ModelIdOption = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="The model to ask, over what the blocks say.",
        rich_help_panel=TEACHER,
    ),
]
ModelFamilyOption = Annotated[
    str | None,
    typer.Option(
        metavar="FAMILY",
        help="The chat format, over what the blocks say: granite, merlinite, mixtral, mistral, "
        "llama, blank, or chat for the server's own.",
        rich_help_panel=TEACHER,
    ),
]
MaxConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="The most answers in the making at once. The best number finds itself; this only "
        "caps it.",
        rich_help_panel=TEACHER,
    ),
]
NumInstructionsOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="The scale factor: how many answers per row a pipeline with n: scaled asks for. A "
        "row's own number in a column num_instructions_to_generate comes first.",
        rich_help_panel=GENERATION,
    ),
]
MaxNumTokensOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="max_tokens of blocks that do not set their own.",
        rich_help_panel=GENERATION,
    ),
]
ConstrainOption = Annotated[
    bool | None,
    typer.Option(
        "--constrain/--no-constrain",
        help="Send a grammar with each request, so that every answer can be parsed. "
        "On for the embedded teacher, off for others.",
        rich_help_panel=GENERATION,
        show_default=False,
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|URL",
        help="Where every answer is kept as soon as it is there, so that the same command goes "
        "on after a failure. Not given: the folder checkpoint in that of --output, removed "
        "when the run has succeeded; one that is given stays.",
        rich_help_panel=FAILURES,
    ),
]
NoCheckpointOption = Annotated[
    bool,
    typer.Option(
        "--no-checkpoint",
        help="Keep no answers: a run that failed begins anew.",
        rich_help_panel=FAILURES,
    ),
]
MaxRejectedOption = Annotated[
    str,
    typer.Option(
        metavar="N|N%",
        help="How many rows a block may reject before the run stops: a number, or a share of "
        "its rows but at least 20 rows. 100%: any number.",
        rich_help_panel=FAILURES,
    ),
]
TeacherPatienceOption = Annotated[
    int | None,
    typer.Option(
        metavar="SECONDS",
        min=0,
        help="How long to wait for a teacher that is away. Not given: 600 once it has "
        "answered, 15 before.",
        rich_help_panel=FAILURES,
    ),
]
TeacherTimeoutOption = Annotated[
    int,
    typer.Option(
        metavar="SECONDS",
        min=1,
        help="How long one answer may take before it is asked for again.",
        rich_help_panel=FAILURES,
    ),
]
ContainerToolOption = Annotated[
    str | None,
    typer.Option(
        metavar="PROGRAM",
        help="What --runner container runs containers with: a name or path of podman or docker. "
        "Not given: what KFP_SDG_CONTAINER_TOOL names, else podman, else docker.",
        show_default=False,
    ),
]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        help="How the run shows how far it is. Not given: rich in a terminal, plain elsewhere. "
        "json: one object per line, for machines; `python -m pydoc kfp_sdg.cli.json_lines` "
        "explains the keys.",
        show_default=False,
        is_eager=True,  # what is wrong with another option is said in this format too
        callback=_speak,
    ),
]
