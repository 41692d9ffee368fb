"""Problems of a file, for people: the place, the line with a caret, and what to do."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from kfp_sdg.cli.console import error_console, say, speaks_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.errors import Problem

_MAX_FILE = 20 * 1024 * 1024
"""Bytes of the largest file whose lines are shown."""

_MAX_LINE = 100
"""Characters of a source line that are shown."""


def show_problems(problems: Sequence[Problem], *, warnings: bool = False) -> None:
    """Print problems to standard error, and how many there are; in JSON one line for each.

    Args:
        problems: The problems, in the order to print them.
        warnings: Whether they are warnings.
    """
    if speaks_json():
        for problem in problems:
            say(str(problem), label="Warning" if warnings else "Error")
        return
    console = error_console()
    for problem in problems:
        console.print(_paragraph(problem, warning=warnings), soft_wrap=True)
    if len(problems) > 1 and not warnings:
        console.print(_count(problems), soft_wrap=True)


def _paragraph(problem: Problem, *, warning: bool) -> Text:
    """Return a problem as lines of text."""
    text = Text()
    text.append(f"{_clean(str(problem.where))}: ", style="bold")
    text.append(*(("warning", "bold yellow") if warning else ("error", "bold red")))
    text.append(": ")
    if problem.block:
        text.append(f"block {problem.block!r}: ")
    text.append(problem.message)
    for line in _source(problem):
        text.append(f"\n{line}", style="dim" if line.rstrip("^").endswith(" ") else "")
    if problem.expected:
        text.append(f"\n  expected {problem.expected}")
    if problem.suggestion:
        text.append(f"\n  {problem.suggestion}", style="bold")
    return text


def _source(problem: Problem) -> list[str]:
    """Return the line in question with a caret below, or nothing where it cannot be shown."""
    where = problem.where
    lines = _lines(where.file)
    if not 0 < where.line <= len(lines):
        return []
    line, column = lines[where.line - 1], max(where.column, 1) - 1
    start = max(0, column - _MAX_LINE // 2) if len(line) > _MAX_LINE else 0
    shown = _clean(line[start : start + _MAX_LINE])
    number = f"{where.line:>5} | "
    result = [number + shown.rstrip()]
    if where.column and column <= len(line):
        word = re.match(r"[\w.-]+", line[column:])
        before = cell_len(shown[: column - start])
        width = max(1, cell_len(shown[column - start :][: word.end()] if word else "^"))
        result.append(f"{'':>5} | {'':>{before}}{'^' * width}")
    return result


def _clean(text: str) -> str:
    """Return text without control characters, which a terminal would obey; same length."""
    return "".join(c if c.isprintable() else " " for c in text)


@lru_cache(maxsize=8)
def _lines(file: str) -> list[str]:
    """Return a file's lines; none where it is too large or cannot be read."""
    path = Path(file)
    try:
        if not path.is_file() or path.stat().st_size > _MAX_FILE:
            return []
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []


def _count(problems: Sequence[Problem]) -> Text:
    """Return how many problems each file has."""
    files = Counter(problem.where.file for problem in problems)
    parts = [f"{n} problem{'s' * (n > 1)} in {_clean(file)}" for file, n in files.items()]
    return Text("; ".join(parts), style="bold")
