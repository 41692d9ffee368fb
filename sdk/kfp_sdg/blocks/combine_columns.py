"""CombineColumnsBlock."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.columns import plain, put_column, scalar, with_column
from kfp_sdg.storage.types import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("CombineColumnsBlock")
class CombineColumnsBlock(Block):
    r"""Join the text of several columns into one.

    Null cells are skipped with their separator; where all are null the result is null. Numbers and
    bools are written as text (2.0 as "2", true as "true").

    Args:
        columns: The columns to join, in this order.
        output_col: The column to write; one that exists is replaced where it stands.
        separator: What goes between two texts.

    Raises:
        BlockError: A column is missing, or holds lists or objects.
    """

    row_wise: ClassVar[bool] = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        columns: list[str],
        output_col: str,
        separator: str = "\n\n",
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        if not columns:
            raise self.error("columns is empty, so there is nothing to combine")
        self.columns = list(columns)
        self.output_col = output_col
        self.separator = separator

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns with the output column, last if it is new."""
        self.require(columns, self.columns)
        return with_column(columns, self.output_col)

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows with the combined text; see ``Block.apply``."""
        self.columns_after(table.column_names)
        texts = [self._text(name, table[name]) for name in self.columns]
        anything = functools.reduce(pc.or_, map(pc.is_valid, texts))
        # The kernel leaves out rows in which all cells are null, and the column would be too short.
        texts[0] = pc.if_else(anything, texts[0], scalar(""))
        joined = pc.binary_join_element_wise(*texts, scalar(self.separator), null_handling="skip")
        return put_column(table, self.output_col, pc.if_else(anything, joined, pa.NA))

    def _text(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_nested(column.type):
            raise self.error(
                f"column {name!r} holds {describe(column.type)} cells; only text, numbers and "
                "bools can be combined"
            )
        return plain(column).cast(pa.string())
