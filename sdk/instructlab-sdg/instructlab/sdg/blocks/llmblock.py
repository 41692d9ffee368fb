"""The blocks that ask the teacher, with the attributes and methods that subclasses know.

A pipeline runs kfp-sdg's own blocks of these names. The classes here are for those who make such a
block by hand, or derive one of their own from it. What a subclass may override, and what it costs:

- ``_format_prompt``, ``_validate``, ``_load_config``, ``_gen_kwargs``: nothing, rows still stream.
- ``_generate``, ``_parse``: the block is given all rows at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from instructlab.sdg._context import DEFAULT_MAX_NUM_TOKENS
from instructlab.sdg.blocks._by_hand import ByHand
from instructlab.sdg.blocks._prompting import (
    NO_COLUMN,
    NOTHING,
    PromptMethods,
    resolve_model_id,
    server_supports_batched,
    template_from_struct_and_config,
)
from instructlab.sdg.blocks.block import Block, BlockConfigParserError
from kfp_sdg.blocks import conditional_llm, llm, llm_log_prob, llm_messages
from kfp_sdg.blocks.asking import SAMPLING_TEMPERATURE, RejectedRowError
from kfp_sdg.errors import BlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from kfp_sdg.blocks.account import Account

__all__ = [
    "DEFAULT_MAX_NUM_TOKENS",
    "BlockConfigParserError",
    "ConditionalLLMBlock",
    "LLMBlock",
    "LLMLogProbBlock",
    "LLMMessagesBlock",
    "server_supports_batched",
    "template_from_struct_and_config",
]


class LLMBlock(PromptMethods, llm.LLMBlock):
    """Ask the teacher a question about every row and parse its answers into new columns."""

    def __init__(
        self,
        ctx: Any,
        pipe: Any,
        block_name: str,
        config_path: str,
        output_cols: list[str],
        model_id: str | None = None,
        model_family: str | None = None,
        model_prompt: str | None = None,
        gen_kwargs: Mapping[str, Any] = NOTHING,
        parser_kwargs: Mapping[str, Any] = NOTHING,
        batch_kwargs: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Read the settings; see kfp-sdg's block of the same name.

        Raises:
            BlockConfigParserError: They are wrong.
            GenerateException: There is no such model family.
        """
        settings = self.note_settings(
            ctx,
            pipe,
            block_name,
            model_id=model_id,
            model_family=model_family,
            model_prompt=model_prompt,
            gen_kwargs=gen_kwargs,
            parser_kwargs=parser_kwargs,
            batch_kwargs=batch_kwargs,
        )
        try:
            super().__init__(
                ctx, pipe, block_name, config_path, output_cols or [NO_COLUMN], **settings
            )
        except BlockError as error:
            raise _setting_error(self, error) from error
        self.output_cols = list(output_cols)
        self.block_config = self._load_config(config_path)
        [prompt] = self.prompts.values()
        self.prompt_template = prompt.template


class ConditionalLLMBlock(PromptMethods, conditional_llm.ConditionalLLMBlock):
    """Ask as LLMBlock does, with the prompt config that a column of the row selects."""

    def __init__(
        self,
        ctx: Any,
        pipe: Any,
        block_name: str,
        config_paths: list[list[str]],
        output_cols: list[str],
        selector_column_name: str,
        model_id: str | None = None,
        model_family: str | None = None,
        model_prompt: str | None = None,
        gen_kwargs: Mapping[str, Any] = NOTHING,
        parser_kwargs: Mapping[str, Any] = NOTHING,
        batch_kwargs: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Read the settings; see kfp-sdg's block of the same name.

        Raises:
            BlockConfigParserError: They are wrong.
            GenerateException: There is no such model family.
        """
        settings = self.note_settings(
            ctx,
            pipe,
            block_name,
            model_id=model_id,
            model_family=model_family,
            model_prompt=model_prompt,
            gen_kwargs=gen_kwargs,
            parser_kwargs=parser_kwargs,
            batch_kwargs=batch_kwargs,
        )
        self.selector_column_name = selector_column_name
        if not config_paths:
            raise BlockConfigParserError(
                "config_paths is empty; expected at least one entry, a prompt config and the "
                "selector's value that it is for",
                block_name=block_name,
                block_type=type(self).__name__,
            )
        try:
            super().__init__(
                ctx,
                pipe,
                block_name,
                config_paths,
                output_cols or [NO_COLUMN],
                selector_column_name,
                **settings,
            )
        except BlockError as error:
            raise _setting_error(self, error) from error
        self.output_cols = list(output_cols)
        self.block_config = self._load_config(config_paths[0][0])
        self.prompt_template = {key: prompt.template for key, prompt in self.prompts.items()}

    def _validate(self, prompt_template: Any, input_dict: Mapping[str, Any]) -> bool:
        """Tell whether a row has everything that the template it selects asks for."""
        if isinstance(prompt_template, dict):
            try:
                prompt_template = prompt_template[self.select(input_dict)]
            except (KeyError, RejectedRowError):
                return False
        return super()._validate(prompt_template, input_dict)


class LLMLogProbBlock(PromptMethods, llm_log_prob.LLMLogProbBlock):
    """Ask as LLMBlock does and keep the log-probabilities of the generated tokens."""

    def __init__(
        self,
        ctx: Any,
        pipe: Any,
        block_name: str,
        config_path: str,
        output_cols: list[str],
        model_id: str | None = None,
        model_family: str | None = None,
        model_prompt: str | None = None,
        gen_kwargs: Mapping[str, Any] = NOTHING,
        parser_kwargs: Mapping[str, Any] = NOTHING,
        batch_kwargs: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Read the settings; see kfp-sdg's block of the same name.

        Raises:
            BlockConfigParserError: They are wrong.
            GenerateException: There is no such model family.
        """
        settings = self.note_settings(
            ctx,
            pipe,
            block_name,
            model_id=model_id,
            model_family=model_family,
            model_prompt=model_prompt,
            gen_kwargs=gen_kwargs,
            parser_kwargs=parser_kwargs,
            batch_kwargs=batch_kwargs,
        )
        try:
            super().__init__(
                ctx, pipe, block_name, config_path, output_cols or [NO_COLUMN], **settings
            )
        except BlockError as error:
            raise _setting_error(self, error) from error
        self.gen_kwargs["logprobs"] = self.generation.options.get("logprobs")
        self.block_config = self._load_config(config_path)
        [prompt] = self.prompts.values()
        self.prompt_template = prompt.template


class LLMMessagesBlock(ByHand, llm_messages.LLMMessagesBlock, Block):
    """Send the chat messages of a column to /v1/chat/completions and keep the answers.

    Attributes:
        input_col: The column with the messages.
        output_col: The new column.
    """

    REWORKED: ClassVar[tuple[str, ...]] = ("_generate",)

    def __init__(
        self,
        ctx: Any,
        pipe: Any,
        block_name: str,
        input_col: str,
        output_col: str,
        model_id: str | None = None,
        gen_kwargs: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Read the settings; see kfp-sdg's block of the same name.

        Raises:
            BlockConfigParserError: They are wrong.
        """
        self.ctx, self.pipe, self.block_name = ctx, pipe, block_name
        self.model_id = resolve_model_id(self, model_id)
        self.input_col = input_col
        self.output_col = output_col
        self.gen_kwargs = self._gen_kwargs(
            dict(gen_kwargs or {}),
            model=self.model_id,
            temperature=0,
            max_tokens=DEFAULT_MAX_NUM_TOKENS,
        )
        try:
            super().__init__(
                ctx,
                pipe,
                block_name,
                input_col,
                output_col,
                model_id=self.model_id,
                gen_kwargs=self.gen_kwargs,  # type: ignore[arg-type]  # looked at value by value
            )
        except BlockError as error:
            raise _setting_error(self, error) from error

    def rework(self, table: pa.Table, account: Account) -> pa.Table:
        """Generate with the subclass's own method."""
        import pyarrow as pa

        from kfp_sdg.blocks.dataset import to_dataset

        self.columns_after(table.column_names)
        outputs = list(self._generate(to_dataset(table))) if table.num_rows else []
        if len(outputs) != table.num_rows:
            raise self.error(f"_generate gave {len(outputs)} answers to {table.num_rows} rows")
        kinds = self.new_columns()
        return table.append_column(self.output_col, pa.array(outputs, kinds[self.output_col]))

    def _gen_kwargs(self, gen_kwargs: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
        """Return the fields of a request.

        Args:
            gen_kwargs: As the pipeline has them.
            **defaults: What they are completed with.
        """
        made = {**defaults, **gen_kwargs}
        made["temperature"] = float(made.get("temperature", 0))
        if made.get("n") == "scaled":
            made["n"] = self.ctx.num_instructions_to_generate or "scaled"
        if made["temperature"] <= 0 and isinstance(n := made.get("n", 1), int) and n > 1:
            made["temperature"] = SAMPLING_TEMPERATURE
        return made

    def _generate(self, samples: Any) -> list[Any]:
        """Return the answer to each row, with ``n`` over 1 a list of answers."""
        self.prepare_to_ask()
        cells: Iterable[Any] = samples[self.input_col]
        answers = self.ask_all([self.question({self._input_col: cell}) for cell in cells])
        return answers if self._several else [texts[0] for texts in answers]


def _setting_error(block: Any, error: BlockError) -> BlockConfigParserError:
    return BlockConfigParserError(
        error.message, block_name=block.block_name, block_type=type(block).__name__
    )
