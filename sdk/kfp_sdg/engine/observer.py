"""Who watches a run: every runner tells the same story to the same observer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.blocks import Progress
    from kfp_sdg.engine.pipeline import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import Usage


class Observer:
    """Somebody who watches a run; override what you want to know, the rest does nothing.

    A run calls ``block_started``, any number of ``block_progress`` and ``block_finished`` for each
    block in turn, so that progress belongs to the block that was started last. A run that fails or
    is interrupted calls ``run_stopped`` before the exception leaves it. Observers must be quick and
    must not raise.
    """

    def block_started(
        self, index: int, total: int, name: str, block_type: str, rows_in: int | None
    ) -> None:
        """Take note that a block begins.

        Args:
            index: The block's place in the pipeline, counted from 1.
            total: How many blocks the pipeline has.
            name: The block's name.
            block_type: The registered name of its type.
            rows_in: How many rows it is given; None where the runner does not know yet.
        """

    def block_progress(self, rows: int, *, rejected: int, usage: Usage) -> None:
        """Take note of further input rows that are done. Called from the teacher's thread.

        Args:
            rows: Input rows finished since the last call.
            rejected: Rows rejected since the last call.
            usage: What their answers cost.
        """

    def block_finished(self, entry: HistoryEntry) -> None:
        """Take note of a block's final books."""

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Take over what was finished before a run failed or was interrupted.

        Args:
            partial: The rows after the last finished block, with the rejected rows and the books
                of all finished blocks.
            block_name: The block that did not finish.
        """


@dataclass(frozen=True, slots=True)
class ObservedProgress:
    """Passes what a block reports on to the run's observer and to the context's own watcher.

    Attributes:
        progress: The watcher that the caller put into the context.
        observer: The run's observer.
    """

    progress: Progress
    observer: Observer

    def advance(self, rows: int, *, rejected: int, usage: Usage) -> None:
        """Tell both of further input rows that are done."""
        self.progress.advance(rows, rejected=rejected, usage=usage)
        self.observer.block_progress(rows, rejected=rejected, usage=usage)
