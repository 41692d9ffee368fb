"""SelectorBlock."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.choices import split_by_choice
from kfp_sdg.blocks.columns import as_type, common_type, put_column, scalar, with_column
from kfp_sdg.storage.types import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("SelectorBlock")
class SelectorBlock(Block):
    """Copy, row by row, the cell of the column that the row's choice names.

    A row whose choice is null or not in the map is rejected with reason "choice".

    Args:
        choice_map: The column to copy from, by the choice.
        choice_col: The column that holds the choices; numbers and bools are compared as text.
        output_col: The column to write; one that exists is replaced where it stands.

    Raises:
        BlockError: A column is missing, or the columns to copy from hold lists or objects of
            different types.
    """

    row_wise: ClassVar[bool] = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        choice_map: dict[str, str],
        choice_col: str,
        output_col: str,
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        self.choice_map = {str(choice): column for choice, column in choice_map.items()}
        self.choice_col = choice_col
        self.output_col = output_col

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns with the output column, last if it is new."""
        self.require(columns, [self.choice_col, *self.choice_map.values()])
        return with_column(columns, self.output_col)

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows whose choice is known; see ``Block.apply``."""
        self.columns_after(table.column_names)
        sources = list(self.choice_map.values())
        kind = common_type(table[name].type for name in sources)
        if kind is None:
            raise self.error(
                "the columns to choose from hold cells of types that do not mix: "
                + ", ".join(f"{name!r} {describe(table[name].type)}" for name in sources)
            )
        table, chosen = split_by_choice(
            self, table, self.choice_col, list(self.choice_map), account
        )
        result = pa.chunked_array([pa.nulls(table.num_rows, kind)])
        for index, name in enumerate(sources):
            is_chosen = pc.equal(chosen, scalar(index))
            result = pc.if_else(is_chosen, as_type(table[name], kind), result)
        return put_column(table, self.output_col, result)
