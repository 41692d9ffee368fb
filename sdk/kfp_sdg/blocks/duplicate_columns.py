"""DuplicateColumnsBlock."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kfp_sdg.blocks.base import Block, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("DuplicateColumnsBlock")
class DuplicateColumnsBlock(Block):
    """Copy columns under new names, one after the other, so that a copy can be copied again.

    Args:
        columns_map: The name of the copy by the column to copy. Copies come after all columns.

    Raises:
        BlockError: A column is missing, or the name of a copy is taken.
    """

    row_wise: ClassVar[bool] = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        columns_map: dict[str, str],
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        self.columns_map = dict(columns_map)

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns and then the copies."""
        result = list(columns)
        for source, copy in self.columns_map.items():
            self.require(result, [source])
            self.forbid(result, [copy])
            result.append(copy)
        return result

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows with the copies; see ``Block.apply``."""
        self.columns_after(table.column_names)
        for source, copy in self.columns_map.items():
            table = table.append_column(copy, table[source])
        return table
