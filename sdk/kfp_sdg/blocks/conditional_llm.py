"""ConditionalLLMBlock: a prompt chosen by a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.asking import RejectedRowError
from kfp_sdg.blocks.base import register
from kfp_sdg.blocks.generation import (
    BatchKwargs,
    GenKwargs,
    ParserKwargs,
)
from kfp_sdg.blocks.prompting import PromptingBlock
from kfp_sdg.errors import BlockError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


EVERY_ROW = "All"
"""The key that, alone, is for every row, whatever the selector says."""


@register("ConditionalLLMBlock")
class ConditionalLLMBlock(PromptingBlock):
    """Ask as LLMBlock does, with the prompt config that a column of the row selects.

    Args:
        config_paths: Pairs of a prompt config and the selector's value it is for; one pair with the
            value ``All`` is used for every row.
        output_cols: Columns that an answer is parsed into, in the order of the tags or groups.
        selector_column_name: The column whose value selects the prompt config.
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
        config_paths: list[list[str]],
        output_cols: list[str],
        selector_column_name: str,
        model_id: str | None = None,
        model_family: str | None = None,
        model_prompt: str | None = None,
        gen_kwargs: GenKwargs | None = None,
        parser_kwargs: ParserKwargs | None = None,
        batch_kwargs: BatchKwargs | None = None,
    ) -> None:
        keys = [pair[1] for pair in config_paths if len(pair) == 2]
        if not keys or len(set(keys)) < len(config_paths):
            raise BlockError(
                f"config_paths is {config_paths!r}; expected pairs of a prompt config and a "
                "value of the selector column, each value once",
                block_name=block_name,
                block_type="ConditionalLLMBlock",
            )
        super().__init__(
            ctx,
            pipe,
            block_name,
            config_paths={str(key): path for path, key in config_paths},
            output_cols=output_cols,
            model_id=model_id,
            model_family=model_family,
            model_prompt=model_prompt,
            gen_kwargs=gen_kwargs,
            parser_kwargs=parser_kwargs,
            batch_kwargs=batch_kwargs,
        )
        self._selector = None if keys == [EVERY_ROW] else selector_column_name

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns with those of the answers.

        Raises:
            BlockError: The selector or a column of a prompt is missing.
        """
        self.require(columns, [self._selector] if self._selector else [])
        return super().columns_after(columns)

    def select(self, row: Mapping[str, Any]) -> str:
        """Return the selector's value.

        Raises:
            RejectedRowError: No prompt config is for it.
        """
        if self._selector is None:
            return EVERY_ROW
        from kfp_sdg.blocks.choices import choice_text

        value = row[self._selector]
        key = choice_text(value)
        if key is None or key not in self.prompts:
            known = ", ".join(map(repr, self.prompts))
            raise RejectedRowError(
                "choice", f"{self._selector} is {value!r}; config_paths has {known}"
            )
        return key
