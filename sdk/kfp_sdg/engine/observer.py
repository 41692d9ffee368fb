"""Who watches a run: every runner tells the same story to the same observer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.engine.outcome import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics, Usage


class Observer:
    """Somebody who watches a run; override what you want to know, the rest does nothing.

    Each block is told of with ``block_started``, any number of ``block_progress`` and
    ``block_finished``. Rows stream from block to block, so several blocks may be at work at once;
    they start and finish in the order of the pipeline. A run that fails or is interrupted calls
    ``run_stopped`` before the exception leaves it. All calls come from the thread that runs the
    pipeline. Observers must be quick and must not raise.
    """

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Take note that a block begins.

        Args:
            index: The block's place in the pipeline, counted from 1.
            total: How many blocks the pipeline has.
            name: The block's name.
            block_type: The registered name of its type.
            rows_in: How many rows it is given; None where that is not known yet, because they
                are still being made.
            statistics: What the block's requests take, counted while it works; None where it asks
                no teacher or asks it in another process.
        """

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        """Take note of what a block did since the last call about it.

        Args:
            index: The block's place in the pipeline.
            arrived: Input rows that reached it.
            done: Input rows that it finished.
            rejected: Rows that it rejected.
            usage: What the answers of this run cost; answers from the journal cost nothing.
        """

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Take note of a block's final books.

        Args:
            index: The block's place in the pipeline.
            entry: The books.
        """

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Take over what was finished before a run failed or was interrupted.

        Args:
            partial: The rows that were finished, with the rejected rows and the books of the
                blocks that they went through.
            block_name: The first block that did not finish.
        """
