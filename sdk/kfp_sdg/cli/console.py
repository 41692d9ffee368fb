"""Where text goes: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_LOG_WIDTH = 120
"""Columns where the output is no terminal; Rich would take 80 and cut tables short."""

_EVENTS = {"Error": "error", "Warning": "warning"}

_json = False


def output_console() -> Console:
    """Return the console of standard output."""
    return _console(stderr=False)


def error_console() -> Console:
    """Return the console of standard error."""
    return _console(stderr=True)


def say(message: str, *, label: str = "", style: str = "", console: Console | None = None) -> None:
    """Print one paragraph to standard error, never read as markup.

    Args:
        message: The text.
        label: What stands in bold before it, without the colon: "Error", "Warning".
        style: The style of the text itself.
        console: Where a bar is on the screen; standard error where not given.
    """
    console = console or error_console()
    if _json:
        write_json(console, _EVENTS.get(label, "message"), message=message)
        return
    from rich.text import Text

    text = Text()
    if label:
        text.append(f"{label}: ", style="bold red" if label == "Error" else "bold yellow")
    text.append(message, style=style)
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


def speak_json(wanted: bool) -> None:
    """Let ``say`` write JSON from now on, or paragraphs for people."""
    global _json
    _json = wanted


def speaks_json() -> bool:
    """Tell whether whoever reads the messages is a machine."""
    return _json


def write_json(console: Console, event: str, **values: Any) -> None:
    """Write one JSON object on a line of its own; its keys are those of ``cli.json_lines``.

    Args:
        console: Where it goes.
        event: What happened.
        **values: What else is to be said of it.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = json.dumps({"time": now, "event": event, **values}, ensure_ascii=False)
    console.file.write(line + "\n")  # in one piece, as several threads write
    console.file.flush()


def _console(*, stderr: bool) -> Console:
    """Return a console for a stream as it is now."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() or "COLUMNS" in os.environ else _LOG_WIDTH
    return Console(stderr=stderr, width=fixed, highlight=False, emoji=False)
