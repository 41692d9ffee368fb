"""What comes of a block, and of a whole run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from kfp_sdg.storage import HistoryEntry


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """What came of one block.

    Attributes:
        rows: The output rows.
        rejected: The rejected rows: the input's columns and ``REJECTED_COLUMNS``; often empty.
        entry: The block's books.
    """

    rows: pa.Table
    rejected: pa.Table
    entry: HistoryEntry


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run.

    Attributes:
        rows: The rows that the last block put out.
        rejected: The rejected rows by the name of the block that rejected them, only where there
            are any.
        history: The books of every block, in order.
        earlier: What was done to the input rows before this run; they were a dataset of ours.
        unfinished: The books of blocks that began and of which nothing is in ``rows`` yet, because
            the run was stopped; they may have rejected rows.
    """

    rows: pa.Table
    rejected: Mapping[str, pa.Table] = field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    earlier: tuple[HistoryEntry, ...] = ()
    unfinished: tuple[HistoryEntry, ...] = ()

    def and_then(self, outcome: BlockOutcome) -> RunResult:
        """Return the result with a further block's outcome."""
        rejected = {outcome.entry.block: outcome.rejected}
        return self.after(outcome.rows, [outcome.entry], rejected)

    def after(
        self,
        rows: pa.Table,
        entries: Sequence[HistoryEntry],
        rejected: Mapping[str, pa.Table],
    ) -> RunResult:
        """Return the result with what came of further blocks.

        Args:
            rows: The rows that the last of them put out.
            entries: Their books.
            rejected: The rows that they rejected, by the block's name.
        """
        return replace(
            self,
            rows=rows,
            rejected={**self.rejected, **_with_rows(rejected)},
            history=(*self.history, *entries),
        )

    def during(
        self, entries: Sequence[HistoryEntry], rejected: Mapping[str, pa.Table]
    ) -> RunResult:
        """Return the result while further blocks are at work and have put out nothing.

        Args:
            entries: Their books so far.
            rejected: The rows that they rejected, by the block's name.
        """
        return replace(
            self,
            rejected={**self.rejected, **_with_rows(rejected)},
            unfinished=tuple(entry for entry in entries if entry.rows_in),
        )


def _with_rows(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: table for name, table in tables.items() if table.num_rows}
