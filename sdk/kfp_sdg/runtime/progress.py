"""A block's progress as plain lines, one every few seconds, and lines about a teacher that is away.

``kfp_sdg.compiler.local_log`` reads the lines about rows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.engine import Observer
from kfp_sdg.runtime.console import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.teacher import RequestStatistics, Usage

SECONDS_BETWEEN_LINES = 5.0

SECONDS_BETWEEN_OUTAGE_LINES = 30.0

_FLAPPING_SECONDS = 10.0
"""A server that is away again within this time was not back."""


def waiting_text(url: str, why: str, seconds_left: float) -> str:
    """Return what is said of a teacher that is away.

    Args:
        url: Its base URL.
        why: What happens to requests: "connection refused".
        seconds_left: How long it is waited for yet.
    """
    return f"teacher at {url}: {why}; waiting for it, {countdown(seconds_left)} left"


def countdown(seconds: float) -> str:
    """Return a time as a clock shows it: 0:05, 9:12, 1:00:00."""
    minutes, whole = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


@dataclass(slots=True)
class _Outage:
    """One outage of one server; times are of the monotonic clock, None where it did not happen."""

    began: float
    ended: float | None = None
    said: float | None = None
    said_back: float | None = None


class OutageLines:
    """Says that a teacher is away: at once, every half minute, and when it is back.

    It is an ``OutageWatcher``, told about once a second from the teacher's thread.
    """

    def __init__(
        self, write: Callable[[str], None], *, every: float = SECONDS_BETWEEN_OUTAGE_LINES
    ) -> None:
        """Begin with all teachers there.

        Args:
            write: Writes one line.
            every: Seconds between two lines about one outage.
        """
        self._write = write
        self._every = every
        self._outages: dict[str, _Outage] = {}

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """Say that a server is away, unless that was said a short while ago."""
        now = time.monotonic()
        outage = self._outages.get(url)
        if outage is None or (outage.ended and now - outage.ended >= _FLAPPING_SECONDS):
            outage = self._outages[url] = _Outage(now)
        outage.ended = None
        if outage.said is None or now - outage.said >= self._every:
            outage.said = now
            self._write(waiting_text(url, why, seconds_left))

    def back(self, url: str) -> None:
        """Say that a server answers again."""
        now = time.monotonic()
        outage = self._outages.get(url)
        if outage is None or outage.ended is not None:
            return
        outage.ended = now
        if outage.said_back is None or now - outage.said_back >= self._every:
            outage.said_back = now
            self._write(f"teacher at {url}: back after {now - outage.began:.0f} s")


class PlainProgress(Observer):
    """Prints lines such as ``gen_questions: 120/400 rows, 3 rejected`` about one block."""

    def __init__(
        self,
        *,
        every: float = SECONDS_BETWEEN_LINES,
        outage_every: float = SECONDS_BETWEEN_OUTAGE_LINES,
    ) -> None:
        """Wait for the block to begin.

        Args:
            every: Seconds that have to pass between two lines about rows.
            outage_every: The same for lines about one outage of a teacher.
        """
        self._every = every
        self._outages = OutageLines(say, every=outage_every)
        self._block_name = ""
        self._rows: int | None = None
        self._done = self._rejected = self._tokens = 0
        self._next = 0.0

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Begin to count."""
        self._block_name, self._rows = name, rows_in
        self._done = self._rejected = self._tokens = 0
        self._next = time.monotonic() + self._every

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        """Count further rows, and print a line if the last one is old enough."""
        self._done += done
        self._rejected += rejected
        self._tokens += usage.completion_tokens
        now = time.monotonic()
        if now < self._next or not (self._done or self._rejected):
            return
        self._next = now + self._every
        line = f"{self._block_name}: {self._done:,}/{self._rows or 0:,} rows"
        if self._rejected:
            line += f", {self._rejected:,} rejected"
        if self._tokens:
            line += f", {self._tokens:,} tokens"
        say(line)

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """Say now and then that a teacher is away."""
        self._outages.waiting(url, why, seconds_left)

    def back(self, url: str) -> None:
        """Say that a teacher is back."""
        self._outages.back(url)
