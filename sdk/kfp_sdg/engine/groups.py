"""A block's books by leaf of a taxonomy, or whatever else ``GROUP_COLUMN`` tells rows apart by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.storage import GROUP_COLUMN, GroupBooks
from kfp_sdg.storage.types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from kfp_sdg.blocks import Rejection

_Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Groups:
    """How many rows of each group came in, were made, and are left without duplicates.

    A value, replaced in one step like the books that it is part of. Rows without a group, where the
    column is null, are in the block's books only.

    Attributes:
        rows: For each group the three numbers.
        is_lost: Whether rows came out without the column; then nothing is known.
    """

    rows: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    is_lost: bool = False

    def after(self, inputs: pa.Table, made: pa.Table, left: pa.Table) -> Groups:
        """Return the numbers with a further piece.

        Args:
            inputs: Its input rows.
            made: What the block made of them.
            left: What is left of that without duplicates.
        """
        came = _counts(inputs)
        if self.is_lost or came is None:
            return self
        out = _counts(left) if made.num_rows else {}
        before = out if made.num_rows == left.num_rows else _counts(made)
        if out is None or before is None:
            return Groups(is_lost=True)
        changed = {}
        for name in {**came, **before}:
            rows_in, rows_made, rows_out = self.rows.get(name, (0, 0, 0))
            changed[name] = (
                rows_in + came.get(name, 0),
                rows_made + before.get(name, 0),
                rows_out + out.get(name, 0),
            )
        return Groups({**self.rows, **changed})

    def books(self, rejections: Iterable[Rejection]) -> dict[str, GroupBooks]:
        """Return the books of each group, in alphabetical order.

        Args:
            rejections: The block's rejections; each has its input row.
        """
        if not self.rows:
            return {}
        rejected: dict[str, Counter[str]] = {name: Counter() for name in self.rows}
        for rejection in rejections:
            name = rejection.row.get(GROUP_COLUMN)
            if name in rejected:
                rejected[name][rejection.reason] += 1
        return {
            name: GroupBooks(
                rows_in, rows_out, rows_made - rows_out, dict(sorted(rejected[name].items()))
            )
            for name, (rows_in, rows_made, rows_out) in sorted(self.rows.items())
        }


def _counts(table: pa.Table) -> _Counts | None:
    """Return how many rows of a table are in each group; None where it does not tell."""
    import pyarrow.compute as pc

    index = table.schema.get_field_index(GROUP_COLUMN)
    if index < 0 or not is_text(table.schema.field(index).type):
        return None
    found = pc.value_counts(table.column(index))
    names, numbers = found.field("values").to_pylist(), found.field("counts").to_pylist()
    return {name: n for name, n in zip(names, numbers, strict=True) if name is not None}
