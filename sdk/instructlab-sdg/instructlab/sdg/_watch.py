"""What a run says in the log while it is under way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kfp_sdg.engine import Observer

if TYPE_CHECKING:
    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics

logger = logging.getLogger("instructlab.sdg.pipeline")


class RunLog(Observer):
    """Says of each block what became of its rows, and warns of those that were rejected.

    Attributes:
        has_started: Whether a block has begun to work.
        stopped_in: The block that stopped the run; None while none has.
    """

    has_started = False
    stopped_in: str | None = None

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
        logger.info("Running block %d of %d: %s", index, total, name)

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Say what became of a block's rows."""
        gone = {
            "filtered": entry.filtered,
            "duplicates": entry.duplicates,
            **{f"rejected ({why})": count for why, count in entry.rejected_by_reason.items()},
        }
        told = "".join(f", {count} {what}" for what, count in gone.items() if count)
        level = logging.WARNING if entry.rejected else logging.INFO
        rows = (entry.rows_in, entry.rows_out)
        logger.log(level, "Block %s: %d rows in, %d out%s", entry.block, *rows, told)

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Take note of where a run stopped."""
        self.stopped_in = block_name
