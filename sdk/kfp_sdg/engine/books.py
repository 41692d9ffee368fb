"""The books of one block while its rows come through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.engine.groups import Groups
from kfp_sdg.errors import BlockError
from kfp_sdg.storage import HistoryEntry
from kfp_sdg.teacher import RequestStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.blocks import Rejection
    from kfp_sdg.blocks.streams import Piece
    from kfp_sdg.spec import BlockSpec


@dataclass(frozen=True, slots=True)
class Books:
    """Where the rows went whose fate is settled.

    Always ``rows_in + added == rows_out + filtered + duplicates + rejected``. A value, replaced in
    one step: an interrupt between two steps finds the old or the new books, never half of them.

    Attributes:
        rows_in: Input rows.
        rows_out: Output rows.
        added: Rows made beyond the input's.
        filtered: Rows dropped by the block's own rule.
        duplicates: Rows dropped as duplicates.
        rejected: Rows that could not be used.
        groups: The same for the leaves of a taxonomy.
    """

    rows_in: int = 0
    rows_out: int = 0
    added: int = 0
    filtered: int = 0
    duplicates: int = 0
    rejected: int = 0
    groups: Groups = field(default_factory=Groups)

    def after(self, piece: Piece, left: pa.Table) -> Books:
        """Return the books with a further piece.

        Args:
            piece: What came of some rows.
            left: What is left of it without the columns and duplicates that are dropped.
        """
        account = piece.account
        return Books(
            self.rows_in + piece.rows_in,
            self.rows_out + left.num_rows,
            self.added + account.added,
            self.filtered + account.filtered,
            self.duplicates + piece.made.num_rows - left.num_rows,
            self.rejected + len(account.rejections),
            self.groups.after(piece.inputs, piece.made, left),
        )

    def entry(
        self,
        block_spec: BlockSpec,
        *,
        seconds: float,
        model: str | None,
        rejections: Sequence[Rejection],
        statistics: RequestStatistics | None,
    ) -> HistoryEntry:
        """Return the books as they are kept with the rows.

        Args:
            block_spec: The block's entry in the pipeline.
            seconds: From the block's first row to its last.
            model: The model that was asked, if one was.
            rejections: The rows that were rejected.
            statistics: What asking took; None where nobody was asked.
        """
        asking = statistics or RequestStatistics()
        reasons = Counter(rejection.reason for rejection in rejections)
        return HistoryEntry(
            block=block_spec.name,
            type=block_spec.type,
            rows_in=self.rows_in,
            rows_out=self.rows_out,
            added=self.added,
            filtered=self.filtered,
            duplicates=self.duplicates,
            rejected=self.rejected,
            rejected_by_reason=dict(sorted(reasons.items())),
            requests=asking.usage.requests,
            prompt_tokens=asking.usage.prompt_tokens,
            completion_tokens=asking.usage.completion_tokens,
            retries=asking.retries.total(),
            retries_by_cause=asking.retries_by_cause,
            journal_hits=asking.journal_hits,
            wait_seconds=asking.waited,
            latency_p50=asking.latency(0.5),
            latency_p95=asking.latency(0.95),
            latency_p99=asking.latency(0.99),
            seconds=seconds,
            model=model if statistics else None,
            groups=self.groups.books(rejections),
        )


def require_balance(block_spec: BlockSpec, piece: Piece) -> None:
    """See to it that a block told where all rows of a piece went.

    Args:
        block_spec: The block's entry in the pipeline.
        piece: What came of some rows.

    Raises:
        BlockError: It did not.
    """
    account, made = piece.account, piece.made.num_rows
    rejected = len(account.rejections)
    if piece.rows_in + account.added != made + account.filtered + rejected:
        raise BlockError(
            f"its books do not add up: {piece.rows_in} rows in + {account.added} added is not "
            f"{made} rows out + {account.filtered} filtered + {rejected} rejected. This is "
            "a defect of the block: apply() has to note in its account every row that it adds, "
            "filters or rejects",
            block_name=block_spec.name,
            block_type=block_spec.type,
        )
