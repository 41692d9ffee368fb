"""SetToMajorityValueBlock."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.columns import plain, put_column
from kfp_sdg.storage.types import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("SetToMajorityValueBlock")
class SetToMajorityValueBlock(Block):
    """Set a whole column to its most frequent value, over the whole dataset.

    Null and NaN cells do not count. Of several values that are equally frequent the first in sort
    order is taken. A column without any value stays as it is.

    Args:
        col_name: The column.

    Raises:
        BlockError: The column is missing, or holds lists or objects.
    """

    row_wise: ClassVar[bool] = False

    def __init__(
        self, ctx: PipelineContext, pipe: PipelineSpec, block_name: str, col_name: str
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        self.col_name = col_name

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the same columns."""
        self.require(columns, [self.col_name])
        return list(columns)

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return all rows with the one value; see ``Block.apply``."""
        self.columns_after(table.column_names)
        column = plain(table[self.col_name])
        if pa.types.is_nested(column.type):
            raise self.error(
                f"column {self.col_name!r} holds {describe(column.type)} cells, which have no "
                "sort order"
            )
        values = column.drop_null()
        if pa.types.is_floating(values.type):
            values = values.filter(pc.invert(pc.is_nan(values)))
        if len(values) == 0:
            return table
        counts = pc.value_counts(values)
        count = counts.field("counts")
        most_frequent = counts.field("values").filter(pc.equal(count, pc.max(count)))
        return put_column(table, self.col_name, pa.repeat(pc.min(most_frequent), table.num_rows))
