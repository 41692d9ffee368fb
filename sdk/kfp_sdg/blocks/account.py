"""The books of one block: where every row went.

For each block ``rows_in + added == rows_out + filtered + duplicates + rejected``. ``added`` is what
the block made out of one row beyond that row: further answers of one prompt, further questions
of one answer, further rows of a flattened one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from kfp_sdg.teacher import RequestStatistics

REJECTED_COLUMNS = ("rejected_reason", "rejected_message", "rejected_answer")
"""Text columns that a table of rejected rows has after the columns of the block's input."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row, or one answer to it, that the block cannot use.

    Attributes:
        row: The input row.
        reason: A short stable name: "parse", "teacher", "choice", "prompt", …
        message: What is wrong, one sentence.
        answer: The teacher's raw answer, where there was one.
    """

    row: Mapping[str, Any]
    reason: str
    message: str
    answer: str | None = None


@dataclass(slots=True)
class Account:
    """What a block did with the rows of one call; filled in by the block while it works.

    Attributes:
        added: Rows made beyond the input's.
        filtered: Rows dropped by the block's own rule.
        rejections: Rows that could not be used, in the order of the input.
        statistics: What asking the teacher took; None where no teacher was asked.
    """

    added: int = 0
    filtered: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    statistics: RequestStatistics | None = None

    def reject(
        self, row: Mapping[str, Any], reason: str, message: str, answer: str | None = None
    ) -> None:
        """Set a row aside with its reason."""
        self.rejections.append(Rejection(row, reason, message, answer))

    @property
    def rejected_by_reason(self) -> dict[str, int]:
        """How many rows were rejected for each reason, reasons in alphabetical order."""
        return dict(sorted(Counter(r.reason for r in self.rejections).items()))

    def rejected_table(self, schema: pa.Schema) -> pa.Table:
        """Return the rejected rows with their reasons.

        Args:
            schema: The schema of the block's input.

        Returns:
            The input's columns and ``REJECTED_COLUMNS``; no rows where nothing was rejected.
        """
        import pyarrow as pa

        from kfp_sdg.storage.json_rows import rows_of_schema

        names = [name for name in schema.names if name not in REJECTED_COLUMNS]  # run through again
        columns = [schema.field(name) for name in names]
        columns += [pa.field(name, pa.string()) for name in REJECTED_COLUMNS]
        rows = [
            {**r.row, **dict(zip(REJECTED_COLUMNS, (r.reason, r.message, r.answer), strict=True))}
            for r in self.rejections
        ]
        return rows_of_schema(rows, pa.schema(columns))
