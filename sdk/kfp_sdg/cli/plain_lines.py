"""Show a run as plain lines: when a block begins, now and then, and when it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text

from kfp_sdg.cli.numbers import clock, rate, rows_phrase
from kfp_sdg.cli.progress import INTERVAL, Ticker, Watcher, done_line
from kfp_sdg.runtime.progress import SECONDS_BETWEEN_OUTAGE_LINES, OutageLines

if TYPE_CHECKING:
    from rich.console import Console

    from kfp_sdg.cli.progress import BlockAtWork
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics

_LONGEST_INTERVAL = 60.0
"""Seconds between two lines about a run of many minutes, or one in which nothing moves."""


class PlainLines(Watcher):
    """Writes a line when a block begins and when it is done, and one now and then about all."""

    def __init__(
        self,
        console: Console,
        every: float = INTERVAL,
        outage_every: float = SECONDS_BETWEEN_OUTAGE_LINES,
    ) -> None:
        """Watch a run.

        Args:
            console: Where the lines go.
            every: Seconds between two lines about the blocks at work; more when it takes many
                minutes, or when nothing moved.
            outage_every: Seconds between two lines about a teacher that is away.
        """
        super().__init__(console)
        self._every = every
        self._last_line = time.monotonic()
        self._last_state = ""
        self._ticker = Ticker(self.tick, every / 10)
        self._outages = OutageLines(self._write_line, every=outage_every)

    def _begin(self) -> None:
        """Begin to write."""
        self._last_line = time.monotonic()
        self._ticker.start()

    def _end(self, error: BaseException | None) -> None:
        """Write no more."""
        self._ticker.stop()

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Write which block begins."""
        super().block_started(index, total, name, block_type, rows_in, statistics)
        given = "" if rows_in is None else f": {rows_phrase(rows_in)}"
        self._write(Text(f"[{index}/{total}] {name} ({block_type}){given}"))

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Write what came of the block."""
        super().block_finished(index, entry)
        self._write(done_line(index, self._of, entry))

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """Write now and then that a teacher is away."""
        self._outages.waiting(url, why, seconds_left)

    def back(self, url: str) -> None:
        """Write that a teacher is back."""
        self._outages.back(url)

    def tick(self) -> None:
        """Write how far the blocks at work are, if the last line is old enough."""
        blocks = self._blocks_at_work()
        if not blocks:
            return
        moved = " ".join(f"{b.index}:{b.arrived}:{b.done}:{b.rejected}" for b in blocks)
        pause = max(self._every, min(self.seconds / 60, _LONGEST_INTERVAL))
        if moved == self._last_state:
            pause = max(pause, min(6 * self._every, _LONGEST_INTERVAL))
        if time.monotonic() - self._last_line >= pause:
            self._last_line, self._last_state = time.monotonic(), moved
            states = "; ".join(map(_state, blocks))
            self._write(Text(f"{states}; after {clock(self.seconds)}"))

    def _write_line(self, line: str) -> None:
        self._write(Text(line))

    def _write(self, text: Text) -> None:
        """Write a line, whatever its length."""
        self._console.print(text, soft_wrap=True)


def _state(block: BlockAtWork) -> str:
    """Return how far a block is, in words."""
    rows = f"{block.arrived:,}+" if block.rows_in is None else f"{block.rows_in:,}"
    parts = [f"{block.place} {block.name}: {block.done:,}/{rows} rows"]
    if block.done:
        parts.append(f"{rate(block.rows_per_second)} rows/s")
    if block.rejected:
        parts.append(f"{block.rejected:,} rejected")
    if block.usage.completion_tokens:
        parts.append(f"{rate(block.tokens_per_second)} tokens/s")
    if block.seconds_left is not None:
        parts.append(f"{clock(block.seconds_left)} left")
    return ", ".join(parts)
