"""Warnings, each shown once at a time, wherever in the house it was raised."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kfp_sdg.errors import Problem

QUIET_SECONDS = 10.0
"""A warning that was not heard for so long is news again."""


def show_warnings(warnings: Sequence[Problem]) -> None:
    """Print the warnings of a pipeline's files, each once."""
    different = list(dict.fromkeys(warnings))
    if different:
        from kfp_sdg.cli.problems import show_problems

        show_problems(different, warnings=True)


@contextmanager
def logged_warnings(
    show: Callable[[str], None] | None = None, *, quiet: float = QUIET_SECONDS
) -> Iterator[None]:
    """Show what the library warns of while the block of code runs.

    Args:
        show: What prints a warning; standard error where not given.
        quiet: Seconds without a message after which it is news again.
    """
    handler = _OnceHandler(show or _show, quiet)
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
    """Shows each message once, and again only if it was not heard for a while.

    What every row repeats is shown once that way, and a second outage of a server is shown too.
    """

    def __init__(self, show: Callable[[str], None], quiet: float) -> None:
        super().__init__(logging.WARNING)
        self._show = show
        self._quiet = quiet
        self._heard: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record's message unless it was heard a short while ago."""
        message = record.getMessage()
        before = self._heard.get(message)
        self._heard[message] = time.monotonic()
        if before is None or self._heard[message] - before >= self._quiet:
            self._show(message)
