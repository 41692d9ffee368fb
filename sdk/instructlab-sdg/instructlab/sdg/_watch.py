"""What a run says in the log while it is under way."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.engine import Observer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics, Usage

logger = logging.getLogger("instructlab.sdg.pipeline")

SECONDS_BETWEEN_LINES = 15.0
"""How often a block that takes its time says how far it is."""


class RunLog(Observer):
    """Says of each block what became of its rows, and warns of those that were rejected.

    Attributes:
        has_started: Whether a block has begun to work.
        stopped_in: The block that stopped the run; None while none has.
    """

    has_started = False
    stopped_in: str | None = None

    def __init__(self) -> None:
        """Watch a run."""
        self._names: dict[int, str] = {}
        self._done: dict[int, int] = {}
        self._told_at = time.monotonic()

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Take note that a block begins."""
        self.has_started = True
        self._names[index] = name
        logger.info("Running block %d of %d: %s", index, total, name)

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        """Say now and then how far the blocks are."""
        self._done[index] = self._done.get(index, 0) + done
        now = time.monotonic()
        if now - self._told_at >= SECONDS_BETWEEN_LINES:
            self._told_at = now
            at_work = (f"{name} {self._done.get(at, 0)}" for at, name in self._names.items())
            logger.info("Rows done so far: %s", ", ".join(at_work))

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Say what became of a block's rows."""
        gone = {
            "filtered": entry.filtered,
            "duplicates": entry.duplicates,
            **{f"rejected ({why})": count for why, count in entry.rejected_by_reason.items()},
        }
        told = "".join(f", {count} {what}" for what, count in gone.items() if count)
        level = logging.WARNING if entry.rejected else logging.INFO
        self._names.pop(index, None)
        rows = (entry.rows_in, entry.rows_out)
        logger.log(level, "Block %s: %d rows in, %d out%s", entry.block, *rows, told)

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Take note of where a run stopped."""
        self.stopped_in = block_name


@contextmanager
def kfp_sdg_in_this_log(target: logging.Logger) -> Iterator[None]:
    """Let what kfp-sdg logs go to a logger of InstructLab's, which its client shows and keeps.

    Args:
        target: The logger.
    """
    source = logging.getLogger("kfp_sdg")
    handler = _Forwarding(target)
    propagates, source.propagate = source.propagate, False
    source.addHandler(handler)
    try:
        yield
    finally:
        source.removeHandler(handler)
        source.propagate = propagates


class _Forwarding(logging.Handler):
    """Hands log records to another logger."""

    def __init__(self, target: logging.Logger) -> None:
        super().__init__()
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record over."""
        if self._target.isEnabledFor(record.levelno):
            self._target.handle(record)
