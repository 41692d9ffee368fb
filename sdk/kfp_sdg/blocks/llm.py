"""LLMBlock: one prompt per row, answers parsed into columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.blocks.base import register
from kfp_sdg.blocks.generation import (
    BatchKwargs,
    GenKwargs,
    ParserKwargs,
)
from kfp_sdg.blocks.prompting import PromptingBlock

if TYPE_CHECKING:
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("LLMBlock")
class LLMBlock(PromptingBlock):
    """Ask the teacher a question about every row and parse its answers into new columns.

    Args:
        config_path: The prompt config: a YAML file with the parts of the prompt and the tags.
        output_cols: Columns that an answer is parsed into, in the order of the tags or groups.
        model_id: The model to ask; a run's own model comes first, unless the run names an endpoint
            for this one.
        model_family: The chat format: granite, merlinite, mixtral, mistral, llama, blank, or chat
            for messages to /v1/chat/completions; a run's own comes first where its model does.
            Guessed from the model.
        model_prompt: A chat format of one's own, a template with {{prompt}}; empty text sends the
            bare prompt.
        gen_kwargs: Fields of the request, such as temperature, max_tokens and n.
        parser_kwargs: A parser of one's own instead of the tags.
        batch_kwargs: num_samples, a number for the prompt.
    """

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        config_path: str,
        output_cols: list[str],
        model_id: str | None = None,
        model_family: str | None = None,
        model_prompt: str | None = None,
        gen_kwargs: GenKwargs | None = None,
        parser_kwargs: ParserKwargs | None = None,
        batch_kwargs: BatchKwargs | None = None,
    ) -> None:
        super().__init__(
            ctx,
            pipe,
            block_name,
            config_paths={"": config_path},
            output_cols=output_cols,
            model_id=model_id,
            model_family=model_family,
            model_prompt=model_prompt,
            gen_kwargs=gen_kwargs,
            parser_kwargs=parser_kwargs,
            batch_kwargs=batch_kwargs,
        )
