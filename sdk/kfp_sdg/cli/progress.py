"""Show a run while it goes on: a bar per block in a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from kfp_sdg.cli.numbers import clock, compact, rate, rows_phrase
from kfp_sdg.engine import Observer
from kfp_sdg.teacher import Usage

if TYPE_CHECKING:
    from rich.console import Console

    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry

LINE_SECONDS = 5.0
"""Seconds between two plain lines about one block."""

_NAME_WIDTH = 22


@dataclass(slots=True)
class Pace:
    """How far a block is, and how fast.

    Attributes:
        total: Its input rows; None where they are not known.
        started: When it began, on the monotonic clock.
        done: Input rows finished.
        rejected: Rows rejected.
        usage: What the answers cost so far.
    """

    total: int | None
    started: float
    done: int = 0
    rejected: int = 0
    usage: Usage = field(default_factory=Usage)

    def advance(self, rows: int, rejected: int, usage: Usage) -> None:
        """Add what was finished since the last call."""
        self.done += rows
        self.rejected += rejected
        self.usage += usage

    @property
    def seconds(self) -> float:
        """Seconds since the block began, never 0."""
        return max(time.monotonic() - self.started, 1e-6)

    @property
    def rows_per_second(self) -> float:
        """Input rows finished per second."""
        return self.done / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens generated per second."""
        return self.usage.completion_tokens / self.seconds

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the block is done at this pace; None while nothing can be said."""
        if self.total is None or not self.done:
            return None
        return (self.total - self.done) / self.rows_per_second


def done_line(index: int, total: int, entry: HistoryEntry) -> Text:
    """Return one line about a finished block: rows in and out, and where the others went."""
    text = Text()
    text.append(f"[{index}/{total}] ", style="dim")
    text.append(entry.block, style="bold")
    text.append(f"  {entry.rows_in:,} → {rows_phrase(entry.rows_out)}")
    for count, word in ((entry.filtered, "filtered"), (entry.duplicates, "duplicates")):
        if count:
            text.append(f", {count:,} {word}")
    if entry.rejected:
        text.append(f", {entry.rejected:,} rejected", style="yellow")
    if entry.completion_tokens:
        speed = entry.completion_tokens / max(entry.seconds, 1e-6)
        text.append(f", {rate(speed)} tokens/s", style="dim")
    text.append(f"  {clock(entry.seconds)}", style="dim")
    return text


class Watcher(Observer):
    """Shows a run while it is open as a context, and keeps what was finished should it stop.

    Attributes:
        stopped: What was finished, and the block that did not finish; None while all is well.
    """

    stopped: tuple[RunResult, str] | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *error: object) -> None:
        """End showing."""

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Keep what was finished."""
        self.stopped = (partial, block_name)


class PlainLines(Watcher):
    """Writes a line when a block begins, now and then while it works, and when it is done."""

    def __init__(self, console: Console, every: float = LINE_SECONDS) -> None:
        """Watch a run.

        Args:
            console: Where the lines go.
            every: Seconds between two lines about one block; more when it takes many minutes.
        """
        self._console = console
        self._every = every
        self._index = self._total = 0
        self._name = ""
        self._pace: Pace | None = None
        self._last_line = 0.0
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="kfp-sdg-progress", daemon=True)

    def __enter__(self) -> Self:
        """Begin to write."""
        self._ticker.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Write no more."""
        self._ended.set()
        self._ticker.join()

    def block_started(
        self, index: int, total: int, name: str, block_type: str, rows_in: int | None
    ) -> None:
        """Write which block begins."""
        self._index, self._total, self._name = index, total, name
        self._last_line = time.monotonic()
        given = "" if rows_in is None else f": {rows_phrase(rows_in)}"
        self._write(Text(f"[{index}/{total}] {name} ({block_type}){given}"))
        self._pace = Pace(rows_in, self._last_line)

    def block_progress(self, rows: int, *, rejected: int, usage: Usage) -> None:
        """Count what is done."""
        if self._pace:
            self._pace.advance(rows, rejected, usage)

    def block_finished(self, entry: HistoryEntry) -> None:
        """Write what came of the block."""
        self._pace = None
        self._write(done_line(self._index, self._total, entry))

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Keep what was finished, and write no more about the block."""
        self._pace = None
        super().run_stopped(partial, block_name)

    def _tick(self) -> None:
        """Write how far the block at work is, less often the longer it takes."""
        while not self._ended.wait(self._every / 10):
            pace, now = self._pace, time.monotonic()
            if pace and now - self._last_line >= max(self._every, min(pace.seconds / 12, 60)):
                self._last_line = now
                place = f"[{self._index}/{self._total}] {self._name}"
                self._write(Text(f"{place}: {self._state(pace)}"))

    @staticmethod
    def _state(pace: Pace) -> str:
        """Return how far a block is, in words."""
        total = "" if pace.total is None else f"/{pace.total:,}"
        parts = [f"{pace.done:,}{total} rows", clock(pace.seconds)]
        if pace.done:
            parts.append(f"{rate(pace.rows_per_second)} rows/s")
        if pace.rejected:
            parts.append(f"{pace.rejected:,} rejected")
        if pace.usage.completion_tokens:
            parts.append(f"{rate(pace.tokens_per_second)} tokens/s")
        if pace.seconds_left is not None:
            parts.append(f"{clock(pace.seconds_left)} left")
        return ", ".join(parts)

    def _write(self, text: Text) -> None:
        """Write a line, whatever its length."""
        self._console.print(text, soft_wrap=True)


class Bars(Watcher):
    """Shows a bar for the block at work, and a line for each one that is done."""

    def __init__(self, console: Console) -> None:
        """Watch a run.

        Args:
            console: The terminal.
        """
        self._index = self._total = 0
        self._lock = threading.Lock()
        self._progress = Progress(
            TextColumn("[dim]{task.fields[place]}[/]", markup=True),
            TextColumn(
                "{task.description}",
                markup=False,
                style="bold",
                table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_NAME_WIDTH),
            ),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            _PaceColumn(),
            console=console,
            transient=True,
            expand=True,
        )

    def __enter__(self) -> Self:
        """Put the bar on the screen."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar off the screen; the lines of finished blocks stay."""
        self._progress.stop()

    def block_started(
        self, index: int, total: int, name: str, block_type: str, rows_in: int | None
    ) -> None:
        """Begin the block's bar."""
        self._index, self._total = index, total
        self._clear()
        self._progress.add_task(
            name,
            total=rows_in,
            place=f"\\[{index}/{total}]",
            pace=Pace(rows_in, time.monotonic()),
        )

    def block_progress(self, rows: int, *, rejected: int, usage: Usage) -> None:
        """Move the bar on."""
        with self._lock:
            for task in self._progress.tasks:
                task.fields["pace"].advance(rows, rejected, usage)
                self._progress.advance(task.id, rows)

    def block_finished(self, entry: HistoryEntry) -> None:
        """Replace the bar by a line."""
        self._clear()
        self._progress.console.print(done_line(self._index, self._total, entry), soft_wrap=True)

    def _clear(self) -> None:
        """Take the bar of the last block away."""
        with self._lock:
            for task in self._progress.tasks:
                self._progress.remove_task(task.id)


class _PaceColumn(ProgressColumn):
    """Rows done, and behind them as much about the pace as is known."""

    def render(self, task: Task) -> Text:
        """Return the column's text for a block."""
        pace: Pace = task.fields["pace"]
        total = "?" if pace.total is None else compact(pace.total)
        text = Text(f"{compact(pace.done)}/{total} rows", no_wrap=True)
        if pace.done:
            text.append(f"  {rate(pace.rows_per_second)}/s", style="cyan")
        if pace.rejected:
            text.append(f"  {compact(pace.rejected)} rejected", style="yellow")
        if pace.usage.completion_tokens:
            text.append(f"  {rate(pace.tokens_per_second)} tok/s", style="dim")
        left = pace.seconds_left
        text.append(f"  {clock(pace.seconds)}" if left is None else f"  {clock(left)} left")
        return text
