"""Warnings, each shown once, wherever in the house it was raised."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kfp_sdg.errors import Problem


def show_warnings(warnings: Sequence[Problem]) -> None:
    """Print the warnings of a pipeline's files, each once."""
    if warnings:
        from kfp_sdg.cli.problems import show_problems

        show_problems(list(dict.fromkeys(warnings)), warnings=True)


@contextmanager
def logged_warnings(show: Callable[[str], None] | None = None) -> Iterator[None]:
    """Show what the library warns of while the block of code runs.

    Args:
        show: What prints a warning; standard error where not given.
    """
    handler = _OnceHandler(show or _show)
    logger = logging.getLogger("kfp_sdg")
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


def _show(message: str) -> None:
    """Print a warning to standard error."""
    say(message, label="Warning")


class _OnceHandler(logging.Handler):
    """Shows each message once."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._show = show
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record's message unless it was shown before."""
        message = record.getMessage()
        if message not in self._seen:
            self._seen.add(message)
            self._show(message)
