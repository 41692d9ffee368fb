"""LLMMessagesBlock: chat messages that stand in a column, answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.blocks.asking import AskingBlock, Question, RejectedRowError, RowResult
from kfp_sdg.blocks.base import register
from kfp_sdg.blocks.generation import GenKwargs

if TYPE_CHECKING:
    import pyarrow as pa

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.teacher import Answer, Message


@register("LLMMessagesBlock")
class LLMMessagesBlock(AskingBlock):
    """Send the chat messages of a column to /v1/chat/completions and keep the answers.

    Args:
        input_col: The column with the messages: a list of objects with role and content, or the
            same as JSON text.
        output_col: The new column: the answer's text, or with n over 1 the list of all answers.
        model_id: The model to ask; a run's own model comes first, unless the run names an endpoint
            for this one.
        gen_kwargs: Fields of the request, such as temperature, max_tokens and n.
    """

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        input_col: str,
        output_col: str,
        model_id: str | None = None,
        gen_kwargs: GenKwargs | None = None,
    ) -> None:
        super().__init__(ctx, pipe, block_name, model_id=model_id, gen_kwargs=gen_kwargs)
        self._input_col = input_col
        self._output_col = output_col
        self._several = self.generation.n.is_scaled or self.generation.n.times > 1

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns with the new one.

        Raises:
            BlockError: The input column is missing or the output column is there already.
        """
        self.require(columns, [self._input_col])
        self.forbid(columns, [self._output_col])
        return [*columns, self._output_col]

    def new_columns(self) -> dict[str, pa.DataType]:
        """Return the new column: text, or a list of texts where several answers are wanted."""
        import pyarrow as pa

        return {self._output_col: pa.list_(pa.string()) if self._several else pa.string()}

    def question(self, row: Mapping[str, Any]) -> Question:
        """Return the row's messages.

        Raises:
            RejectedRowError: The cell holds no messages.
        """
        return Question(_messages(row[self._input_col]), self.options(chat=True, n=self.count(row)))

    def read(self, row: Mapping[str, Any], answer: Answer) -> RowResult:
        """Put the answers of a row into one cell; what has no text is rejected."""
        texts = [choice.text for choice in answer.choices if choice.text is not None]
        rejections = [
            *(
                Rejection(row, "parse", "the answer has no text")
                for choice in answer.choices
                if choice.text is None
            ),
            *self.missing_choices(row, answer),
        ]
        cell = texts if self._several else "".join(texts)
        return RowResult(({self._output_col: cell},) if texts else (), tuple(rejections))


def _messages(cell: Any) -> tuple[Message, ...]:
    """Return the messages of a cell, without the empty fields that a column's type adds.

    Raises:
        RejectedRowError: It holds no messages.
    """
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError as error:
            raise RejectedRowError("prompt", f"the messages are not JSON: {error}") from error
    if not isinstance(cell, list) or not cell or not all(map(_is_message, cell)):
        raise RejectedRowError(
            "prompt", "expected a list of messages, each with the texts role and content"
        )
    return tuple(
        {k: v for k, v in message.items() if v is not None or k == "content"} for message in cell
    )


def _is_message(value: Any) -> bool:
    """Tell whether this is a message; an assistant's that calls tools needs no text."""
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        return False
    content = value.get("content")
    if content is None and value["role"] == "assistant":
        return isinstance(value.get("tool_calls"), list) and bool(value["tool_calls"])
    return isinstance(content, str | list)
