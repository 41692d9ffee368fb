"""Show a run as JSON, one object per line, for whatever collects logs.

Every object has ``time`` (ISO 8601, UTC) and ``event``. What else it has depends on the event:

========================  =====================================================================
``run_started``           nothing
``block_started``         ``index`` (from 1), ``blocks`` (how many there are), ``block`` (its name),
                          ``type``, ``rows_in`` (null while its rows are still being made)
``progress``              ``seconds`` since the run began, ``blocks``: an object for each block at
                          work, see ``block_numbers``; every few seconds
``block_finished``        ``index``, and the block's books under the names that they have in a
                          dataset's manifest, see ``kfp_sdg.storage.HistoryEntry``
``teacher_away``          ``url``, ``why``, ``seconds_left``; at once and every few seconds
``teacher_back``          ``url``, ``seconds`` that it was away
``warning``               ``message``
``run_finished``          ``seconds``, ``rows`` that the last block put out (of a taxonomy: the
                          last block of all pipelines)
``run_stopped``           ``seconds``, ``block`` that did not finish (null where none had begun),
                          ``kind`` (of the error: "BlockError"), ``message``, ``rows`` that were
                          finished
``leaf_finished``         what came of a leaf of a taxonomy: ``leaf``, ``kinds``, ``seeds`` (rows
                          that it was generated from), ``generated`` (rows that came through),
                          ``filtered``, ``duplicates``, ``rejected`` (rows that did not),
                          ``losses``: an object for each block and reason with ``where``,
                          ``reason``, ``rows``; ``used`` (generated rows that are in the training
                          data), ``questions`` (to test with; null without an evaluation)
``mix_written``           training data: ``kind`` ("knowledge" or "skills"), ``path``, ``rows``
``message``, ``error``    ``message``: what is said before or after the run
========================  =====================================================================

Names are added, never changed. ``kfp_sdg.cli.run_views`` has those of a run on a cluster.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kfp_sdg.cli.console import write_json
from kfp_sdg.cli.progress import INTERVAL, Ticker, Watcher

if TYPE_CHECKING:
    from rich.console import Console

    from kfp_sdg.cli.progress import BlockAtWork
    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics

_QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
_SEEN = ("parse_failures", "retries", "retries_by_cause", "journal_hits", "wait_seconds")
"""What is seen only where the requests are, besides the quantiles."""


def block_numbers(block: BlockAtWork) -> dict[str, Any]:
    """Return the numbers of a block at work, since its beginning.

    ``parse_failures`` to ``latency_p99`` are null where the runner does not see the block's
    requests (``--runner kfp``), and where the block asks no teacher.

    Returns:
        ``index``, ``block``; ``rows_in`` (null while its rows are still being made), ``arrived``,
        ``done``, ``rejected`` (rows); ``requests``, ``prompt_tokens``, ``completion_tokens``;
        ``parse_failures`` (choices); ``retries``, ``retries_by_cause``, ``journal_hits``;
        ``wait_seconds`` (for a place in flight, summed over requests), ``latency_p50``,
        ``latency_p95``, ``latency_p99`` (seconds).
    """
    statistics = block.statistics
    usage = block.usage if statistics is None else statistics.usage
    numbers: dict[str, Any] = {
        "index": block.index,
        "block": block.name,
        "rows_in": block.rows_in,
        "arrived": block.arrived,
        "done": block.done,
        "rejected": block.rejected,
        "requests": usage.requests,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
    }
    if statistics is None:
        return numbers | dict.fromkeys((*_SEEN, *_QUANTILES))
    causes = statistics.retries_by_cause
    latencies = {name: statistics.latency(q) for name, q in _QUANTILES.items()}
    return numbers | {
        "parse_failures": statistics.parse_failures,
        "retries": sum(causes.values()),
        "retries_by_cause": causes,
        "journal_hits": statistics.journal_hits,
        "wait_seconds": round(statistics.waited, 3),
        **latencies,
    }


class JsonLines(Watcher):
    """Writes a run as JSON, one object per line; see the module for their keys."""

    def __init__(self, console: Console, every: float = INTERVAL) -> None:
        """Watch a run.

        Args:
            console: Where the lines go.
            every: Seconds between two lines about the blocks at work, and between two about a
                teacher that is away.
        """
        super().__init__(console)
        self._every = every
        self._rows = 0
        self._unfinished: str | None = None
        self._away: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._ticker = Ticker(self.tick, every)

    def _begin(self) -> None:
        """Begin to write."""
        self._write("run_started")
        self._ticker.start()

    def _end(self, error: BaseException | None) -> None:
        """Write how the run ended."""
        self._ticker.stop()
        seconds = round(self.seconds, 3)
        if error is None:
            self._write("run_finished", seconds=seconds, rows=self._rows)
            return
        self._write(
            "run_stopped",
            seconds=seconds,
            block=self._unfinished,
            kind=type(error).__name__,
            message=str(error),
            rows=self.stopped[0].rows.num_rows if self.stopped else 0,
        )

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
        self._write(
            "block_started",
            index=index,
            blocks=total,
            block=name,
            type=block_type,
            rows_in=rows_in,
        )

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Write the block's books."""
        super().block_finished(index, entry)
        self._rows = entry.rows_out
        self._write("block_finished", index=index, **entry.to_json())

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Keep what was finished; it is written of when the reason is known."""
        super().run_stopped(partial, block_name)
        self._unfinished = block_name

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """Write now and then that a teacher is away."""
        now = time.monotonic()
        self._away.setdefault(url, now)
        if url not in self._said or now - self._said[url] >= self._every:
            self._said[url] = now
            self._write("teacher_away", url=url, why=why, seconds_left=round(seconds_left, 1))

    def back(self, url: str) -> None:
        """Write that a teacher is back."""
        if url in self._away:
            seconds = time.monotonic() - self._away.pop(url)
            self._said.pop(url)
            self._write("teacher_back", url=url, seconds=round(seconds, 1))

    def warn(self, message: str) -> None:
        """Write a warning."""
        self._write("warning", message=message)

    def tick(self) -> None:
        """Write how far the blocks at work are."""
        blocks = [block_numbers(block) for block in self._blocks_at_work()]
        self._write("progress", seconds=round(self.seconds, 3), blocks=blocks)

    def _write(self, event: str, **values: Any) -> None:
        write_json(self._console, event, **values)
