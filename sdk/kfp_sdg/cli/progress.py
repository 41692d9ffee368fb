"""Watch a run: what every view of it has in common, and which view fits."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.text import Text

from kfp_sdg.cli.console import say
from kfp_sdg.cli.numbers import clock, rate, rows_phrase
from kfp_sdg.engine import Observer
from kfp_sdg.teacher import Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console

    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics

INTERVAL = 5.0
"""Seconds between two lines about a run."""


@dataclass(slots=True)
class BlockAtWork:
    """A block at work: how far it is, and how fast.

    Attributes:
        index: Its place in the pipeline, counted from 1.
        of: How many blocks the pipeline has.
        name: Its name.
        type: The registered name of its type.
        rows_in: Its input rows; None while they are still being made.
        statistics: What its requests take; None where it asks no teacher or asks it elsewhere.
        started: When it began, on the monotonic clock.
        arrived: Input rows that reached it.
        done: Input rows that it finished.
        rejected: Rows that it rejected.
        usage: What the answers cost so far.
    """

    index: int
    of: int
    name: str
    type: str
    rows_in: int | None
    statistics: RequestStatistics | None = None
    started: float = field(default_factory=time.monotonic)
    arrived: int = 0
    done: int = 0
    rejected: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def place(self) -> str:
        """Its place in the pipeline: "[2/8]"."""
        return f"[{self.index}/{self.of}]"

    @property
    def seconds(self) -> float:
        """Seconds since it began, never 0."""
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
        """Seconds until it is done at this pace; None while nothing can be said."""
        if self.rows_in is None or not self.done:
            return None
        return max(self.rows_in - self.done, 0) / self.rows_per_second


class Watcher(Observer):
    """Shows a run while it is open as a context, and keeps what was finished should it stop.

    It is an ``OutageWatcher`` too, told from the teacher's thread.

    Attributes:
        stopped: What was finished, and the block that did not finish; None while all is well.
        seconds: How long the run took, or takes until now; 0.0 before it began.
    """

    stopped: tuple[RunResult, str] | None = None

    def __init__(self, console: Console) -> None:
        """Watch a run that has not begun.

        Args:
            console: Where it is shown.
        """
        self._console = console
        self._lock = threading.Lock()
        self._at_work: dict[int, BlockAtWork] = {}
        self._of = 0
        self._began: float | None = None
        self._ended: float | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        self._began = time.monotonic()
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End showing."""
        self._ended = time.monotonic()
        self._end(error)

    def _begin(self) -> None:
        """Do what a view does first."""

    def _end(self, error: BaseException | None) -> None:
        """Do what a view does last; the error is the one that ended the run."""

    @property
    def seconds(self) -> float:
        """See the class."""
        if self._began is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._began

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Take a block among those at work."""
        self._of = total
        with self._lock:
            self._at_work[index] = BlockAtWork(index, total, name, block_type, rows_in, statistics)

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        """Add what a block did since the last call."""
        with self._lock:
            block = self._at_work[index]
            block.arrived += arrived
            block.done += done
            block.rejected += rejected
            block.usage += usage

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Take a block from those at work; how many rows the next one gets is known now."""
        with self._lock:
            del self._at_work[index]
            following = self._at_work.get(index + 1)
            if following is not None and following.rows_in is None:
                following.rows_in = entry.rows_out

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Keep what was finished; nothing is at work any longer."""
        self.stopped = (partial, block_name)
        with self._lock:
            self._at_work.clear()

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """Show that a teacher is away and for how long it is waited for."""

    def back(self, url: str) -> None:
        """Show that a teacher answers again."""

    def warn(self, message: str) -> None:
        """Show a warning."""
        say(message, label="Warning", console=self._console)

    def _blocks_at_work(self) -> list[BlockAtWork]:
        """Return the blocks that are at work now, in the order of the pipeline."""
        with self._lock:
            return [self._at_work[index] for index in sorted(self._at_work)]


class Ticker:
    """Calls a function again and again in a thread of its own, until it is stopped."""

    def __init__(self, tick: Callable[[], None], every: float) -> None:
        """Prepare the thread.

        Args:
            tick: What is called.
            every: Seconds between two calls.
        """
        self._tick = tick
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kfp-sdg-progress", daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the last call to end."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            self._tick()


def done_line(index: int, total: int, entry: HistoryEntry) -> Text:
    """Return one line about a finished block: rows in and out, and where the others went."""
    text = Text()
    text.append(f"[{index}/{total}] ", style="dim")
    text.append(entry.block, style="bold")
    text.append(f"  {entry.rows_in:,} → {rows_phrase(entry.rows_out)}")
    for count, words in (
        (entry.filtered, "filtered"),
        (entry.duplicates, "duplicates"),
        (entry.journal_hits, "from journal"),
    ):
        if count:
            text.append(f", {count:,} {words}")
    if entry.rejected:
        text.append(f", {entry.rejected:,} rejected", style="yellow")
    if entry.retries:
        word = "retry" if entry.retries == 1 else "retries"
        text.append(f", {entry.retries:,} {word}", style="yellow")
    if entry.completion_tokens:
        speed = entry.completion_tokens / max(entry.seconds, 1e-6)
        text.append(f", {rate(speed)} tokens/s", style="dim")
    text.append(f"  {clock(entry.seconds)}", style="dim")
    return text


def watcher_for(log_format: str | None, console: Console) -> Watcher:
    """Return the view of a run that was asked for.

    Args:
        log_format: "rich" for bars, "plain" for lines, "json" for an object per line; None for bars
            in a terminal and lines elsewhere.
        console: Where the run is shown.
    """
    from kfp_sdg.cli.console import speak_json

    speak_json(log_format == "json")
    if log_format == "json":
        from kfp_sdg.cli.json_lines import JsonLines

        return JsonLines(console)
    if log_format == "rich" or (log_format is None and console.is_terminal):
        from kfp_sdg.cli.bars import Bars

        return Bars(console)
    from kfp_sdg.cli.plain_lines import PlainLines

    return PlainLines(console)
