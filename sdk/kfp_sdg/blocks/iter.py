"""IterBlock: another block, several times over the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Account
from kfp_sdg.blocks.asking import AskingBlock
from kfp_sdg.blocks.base import Block, apply_block, columns_after, register
from kfp_sdg.blocks.catalog import make_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("IterBlock")
class IterBlock(Block):
    """Run another block several times over the same rows and put the results one after another.

    Args:
        num_iters: How many times; 0 gives no rows.
        block_type: The registered name of the block to run.
        config: Every further key is the inner block's own setting.
    """

    num_iters: int
    inner: Block

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        num_iters: int,
        block_type: str,
        **config: Any,
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        is_number = isinstance(num_iters, int | float) and not isinstance(num_iters, bool)
        if not is_number or num_iters < 0 or num_iters % 1:
            raise self.error(f"num_iters is {num_iters!r}; expected a whole number from 0")
        self.num_iters = int(num_iters)
        self.inner = make_block(ctx, pipe, block_name, block_type, config)
        self.scope = ctx.scope(block_name)

    @property
    def model(self) -> str | None:
        """The model that the inner block asks, if it asks one."""
        return getattr(self.inner, "model", None)

    def columns_after(self, columns: Sequence[str]) -> list[str] | None:
        """Return what the inner block says."""
        return columns_after(self.inner, columns)

    def prepare(self) -> None:
        """Prepare the inner block."""
        if self.num_iters:
            self.inner.prepare()

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Run the inner block and add up its books.

        Each iteration works on every row again: the rows that the second and later ones start from
        count as added, and with no iteration at all every row counts as filtered.
        """
        import pyarrow as pa

        if not self.num_iters:
            account.filtered += table.num_rows
            return apply_block(self.inner, table.slice(0, 0), Account())
        account.added += (self.num_iters - 1) * table.num_rows
        results = []
        for iteration in range(self.num_iters):
            if isinstance(self.inner, AskingBlock | IterBlock):
                self.inner.scope = f"{self.scope}/{iteration}"
            results.append(apply_block(self.inner, table, account))
        return pa.concat_tables(results, promote_options="permissive")
