"""IterBlock: another block, several times over the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.base import Block, register

if TYPE_CHECKING:
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

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        *,
        num_iters: int,
        block_type: str,
        **config: Any,
    ) -> None:
        super().__init__(ctx, pipe, block_name)
