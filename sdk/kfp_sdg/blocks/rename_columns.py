"""RenameColumnsBlock."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from kfp_sdg.blocks.base import Block, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("RenameColumnsBlock")
class RenameColumnsBlock(Block):
    """Rename columns, all at once, so that swaps and chains work.

    Args:
        columns_map: The new name of each column by its present one.

    Raises:
        BlockError: A column is missing, or two columns would have one name.
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
        """Return the columns in their order under their new names."""
        self.require(columns, self.columns_map)
        renamed = [self.columns_map.get(name, name) for name in columns]
        twice = [name for name, count in Counter(renamed).items() if count > 1]
        if twice:
            raise self.error(
                f"more than one column would be named {', '.join(map(repr, twice))}; choose "
                "another name, or rename or drop the column that has it"
            )
        return renamed

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows under the new names; see ``Block.apply``."""
        return table.rename_columns(self.columns_after(table.column_names))
