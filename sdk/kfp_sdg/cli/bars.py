"""Show a run in a terminal: a bar for each block at work, and a line for each that is done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kfp_sdg.cli.numbers import clock, compact, rate
from kfp_sdg.cli.progress import Watcher, done_line
from kfp_sdg.runtime.progress import countdown, waiting_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from kfp_sdg.cli.progress import BlockAtWork
    from kfp_sdg.storage import HistoryEntry

_WIDE = 100
"""Columns of a terminal in which there is room for tokens per second, long names and units."""

_TOLD_AFTER = 5.0
"""Seconds of an outage whose end is worth a line."""

_KEPT = " (Ctrl-C stops; what is done is kept)"


@dataclass(frozen=True, slots=True)
class _Away:
    """A teacher that is away: since when and until when it is waited for, and why."""

    since: float
    until: float
    why: str


class Bars(Watcher):
    """Shows a bar for each block at work, the teachers that are away, and what is done above."""

    def __init__(self, console: Console) -> None:
        """Watch a run.

        Args:
            console: The terminal.
        """
        super().__init__(console)
        self._away: dict[str, _Away] = {}
        self._live = Live(
            get_renderable=self.picture, console=console, transient=True, refresh_per_second=8
        )

    def _begin(self) -> None:
        """Put the bars on the screen."""
        self._live.start()

    def _end(self, error: BaseException | None) -> None:
        """Take the bars off the screen; the lines of finished blocks stay."""
        self._live.stop()

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Replace the bar by a line."""
        super().block_finished(index, entry)
        self._console.print(done_line(index, self._of, entry), soft_wrap=True)

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """Show how long a teacher is waited for yet."""
        now = time.monotonic()
        with self._lock:
            since = self._away[url].since if url in self._away else now
            self._away[url] = _Away(since, now + seconds_left, why)

    def back(self, url: str) -> None:
        """Show the bars alone again."""
        with self._lock:
            away = self._away.pop(url, None)
        if away and time.monotonic() - away.since >= _TOLD_AFTER:
            lasted = clock(time.monotonic() - away.since)
            self._live.refresh()  # or the line would be printed above the old picture
            self._console.print(Text(f"teacher at {url}: back after {lasted}"), soft_wrap=True)

    def picture(self) -> RenderableType:
        """Return what is on the screen now."""
        blocks = self._blocks_at_work()
        with self._lock:
            away = dict(self._away)
        now = time.monotonic()
        outages = [
            Text(waiting_text(url, a.why, a.until - now) + _KEPT, style="bold yellow")
            for url, a in away.items()
        ]
        room = max(self._console.height - 3 * len(outages) - 2, 1)
        hidden = len(blocks) - room
        shown = blocks if hidden <= 0 else blocks[:room]
        parts: list[RenderableType] = [_bars(shown, _shares(blocks), self._console.width)]
        if hidden > 0:
            parts.append(Text(f"and {hidden} more at work", style="dim"))
        return Group(*(parts if blocks else ()), *outages)


def _shares(blocks: list[BlockAtWork]) -> dict[int, float | None]:
    """Return which share of its work each block has done, None where that cannot be said.

    The rows of a block behind others at work are not all known. What has arrived stands for the
    share that the block before it has done.
    """
    shares: dict[int, float | None] = {}
    for block in blocks:
        if block.rows_in is not None:
            shares[block.index] = block.done / block.rows_in if block.rows_in else 1.0
            continue
        before = shares.get(block.index - 1)
        arrived = block.done / block.arrived if block.arrived else 0.0
        shares[block.index] = None if before is None else before * arrived
    return shares


def _bars(blocks: list[BlockAtWork], shares: dict[int, float | None], width: int) -> Table:
    """Return a line per block."""
    wide = width >= _WIDE
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=30 if wide else 18, style="bold")
    table.add_column(ratio=1, min_width=6)
    for style in (None, "cyan", "yellow", "dim", None):
        table.add_column(no_wrap=True, justify="right", style=style)
    for block in blocks:
        share = shares[block.index]
        bar = ProgressBar(
            total=1.0,
            completed=share or 0.0,
            pulse=share is None,
            animation_time=time.monotonic(),
        )
        total = f"{compact(block.arrived)}+" if block.rows_in is None else compact(block.rows_in)
        tokens = block.usage.completion_tokens and wide
        left = block.seconds_left
        spell = clock if wide else countdown
        table.add_row(
            block.place.replace("[", "\\["),
            Text(block.name),
            bar,
            f"{compact(block.done)}/{total}" + (" rows" if wide else ""),
            f"{rate(block.rows_per_second)}/s" if block.done else "",
            f"{compact(block.rejected)} rejected" if block.rejected else "",
            f"{rate(block.tokens_per_second)} tok/s" if tokens else "",
            spell(block.seconds) if left is None else f"{spell(left)} left",
        )
    return table
