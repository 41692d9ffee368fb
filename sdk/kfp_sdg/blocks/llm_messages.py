"""LLMMessagesBlock: chat messages that stand in a column, answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.generation import GenKwargs  # noqa: TC001 - the schema is made of it

if TYPE_CHECKING:
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("LLMMessagesBlock")
class LLMMessagesBlock(Block):
    """Send the chat messages of a column to /v1/chat/completions and keep the answers.

    Args:
        input_col: The column with the messages: a list of objects with role and content, or the
            same as JSON text.
        output_col: The new column: the answer's text, or with n over 1 the list of all answers.
        model_id: The model to ask; a run's own model comes first, unless the run names an endpoint
            for this one.
        gen_kwargs: Fields of the request, such as temperature, max_tokens and n.
    """

    row_wise = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        *,
        input_col: str,
        output_col: str,
        model_id: str | None = None,
        gen_kwargs: GenKwargs | None = None,
    ) -> None:
        super().__init__(ctx, pipe, block_name)
