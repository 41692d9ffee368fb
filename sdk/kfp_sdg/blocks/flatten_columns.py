"""FlattenColumnsBlock."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.columns import as_type, common_type, scalar
from kfp_sdg.storage.types import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("FlattenColumnsBlock")
class FlattenColumnsBlock(Block):
    """Turn several columns into rows: one output row per input row and flattened column.

    The rows come in the order of ``pandas.melt``: all rows of the first column, then all of the
    second, and so on. Null cells become rows too.

    Args:
        var_cols: The columns to turn into rows. All others are repeated on each row.
        value_name: The new column for the cells. Cells of different types become text; integers
            among floats become floats.
        var_name: The new column for the name of the column a cell came from.

    Raises:
        BlockError: A column is missing, a new name is taken, or the columns hold lists or objects
            of different types.
    """

    row_wise: ClassVar[bool] = False  # the order of the output depends on all rows

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        var_cols: list[str],
        value_name: str,
        var_name: str,
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        if not var_cols:
            raise self.error("var_cols is empty, so no row would be left")
        if len(set(var_cols)) < len(var_cols):
            raise self.error(f"var_cols names a column twice: {', '.join(var_cols)}")
        if value_name == var_name:
            raise self.error(f"value_name and var_name are both {value_name!r}; choose two names")
        self.var_cols = list(var_cols)
        self.value_name = value_name
        self.var_name = var_name

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the repeated columns, then ``var_name`` and ``value_name``."""
        self.require(columns, self.var_cols)
        repeated = [name for name in columns if name not in self.var_cols]
        self.forbid(repeated, [self.value_name, self.var_name])
        return [*repeated, self.var_name, self.value_name]

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows of each flattened column in turn; see ``Block.apply``."""
        names = self.columns_after(table.column_names)
        kind = common_type(table[name].type for name in self.var_cols)
        if kind is None:
            raise self.error(
                "the flattened columns hold cells of types that do not mix: "
                + ", ".join(f"{name!r} {describe(table[name].type)}" for name in self.var_cols)
            )
        repeated = table.drop_columns(self.var_cols)
        parts = [
            repeated.append_column(
                self.var_name, pa.repeat(scalar(name), table.num_rows)
            ).append_column(self.value_name, as_type(table[name], kind))
            for name in self.var_cols
        ]
        account.added += table.num_rows * (len(self.var_cols) - 1)
        return pa.concat_tables(parts).select(names)
