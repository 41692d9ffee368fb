"""Where text goes: results to standard output, all else to standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_LOG_WIDTH = 120
"""Columns where the output is no terminal; Rich would take 80 and cut tables short."""


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
    from rich.text import Text

    console = console or error_console()
    text = Text()
    if label:
        text.append(f"{label}: ", style="bold red" if label == "Error" else "bold yellow")
    text.append(message, style=style)
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


def _console(*, stderr: bool) -> Console:
    """Return a console for a stream as it is now."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() or "COLUMNS" in os.environ else _LOG_WIDTH
    return Console(stderr=stderr, width=fixed, highlight=False, emoji=False)
