"""What InstructLab's blocks with prompt configs have: its attributes, and methods to override."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from instructlab.sdg._context import DEFAULT_MAX_NUM_TOKENS
from instructlab.sdg._spec import LIMITED
from instructlab.sdg.blocks._by_hand import ByHand
from instructlab.sdg.blocks.block import SCALED_BY_NOTHING, Block, BlockConfigParserError
from instructlab.sdg.registry import PromptRegistry
from instructlab.sdg.utils import models
from kfp_sdg.blocks.asking import Question, RejectedRowError
from kfp_sdg.blocks.columns import put_column, row_numbers
from kfp_sdg.blocks.prompting import PromptingBlock
from kfp_sdg.errors import StorageError
from kfp_sdg.prompts import CHAT, wrap_prompt
from kfp_sdg.prompts.config import PARTS
from kfp_sdg.spec.scaling import Amount
from kfp_sdg.storage import rows_from_objects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.prompts import Parser, PromptConfig

NO_COLUMN = ""
"""Stands for no output columns: a block made by hand may be there for its prompts alone."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The default of settings that are mappings."""


def resolve_model_id(block: Any, own: str | None) -> str:
    """Return the model to ask: the context's, else the block's own.

    Raises:
        BlockConfigParserError: There is none.
    """
    model_id: str | None = block.ctx.model_id or own
    if not model_id:
        raise BlockConfigParserError(
            "it requires a model_id but none is given, neither in the block's config nor in the "
            "PipelineContext",
            block_name=block.block_name,
            block_type=type(block).__name__,
        )
    return model_id


def template_from_struct_and_config(struct: str, config: Mapping[str, Any]) -> Any:
    """Return the template of a prompt.

    Args:
        struct: The order of its parts, in single braces, as ``PromptMethods.prompt_struct``.
        config: The parts; None is an empty one.
    """
    parts = {part: "" if text is None else text for part, text in config.items()}
    return PromptRegistry.template_from_string(struct.format(**parts))


def server_supports_batched(client: Any, model_id: str) -> bool:
    """Tell whether a server takes a list of prompts and gives ``n`` answers to each.

    kfp-sdg needs neither; this is for blocks that talk to the client themselves. It costs one small
    request, once for each client.

    Args:
        client: The client.
        model_id: The model to ask.
    """
    known = getattr(client, "server_supports_batched", None)
    if known is None:
        import openai

        try:
            answer = client.completions.create(model=model_id, prompt=["a", "b"], max_tokens=1, n=3)
            known = len(answer.choices) == 2 * 3
        except openai.APIStatusError:
            known = False  # a server that refuses such a request cannot do it
        client.server_supports_batched = known
    return bool(known)


class PromptMethods(ByHand, PromptingBlock, Block):
    """What the blocks with prompt configs have of InstructLab's.

    Attributes:
        block_config: The first prompt config's mapping.
        prompt_struct: The order of a prompt's parts, for ``template_from_struct_and_config``.
        prompt_template: Its template; in a ``ConditionalLLMBlock`` a template by selector.
        model_family: The family that the chat format is of.
        model_prompt: A chat format as text.
        batch_params: ``batch_kwargs``.
        parser_name: As in ``parser_kwargs``, like the next two.
        parsing_pattern: A regular expression.
        parser_cleanup_tags: Texts to remove from values.
    """

    REWORKED: ClassVar[tuple[str, ...]] = ("_generate", "_parse")

    prompt_struct: str = "\n".join(f"{{{part}}}" for part in PARTS)
    prompt_template: Any

    def note_settings(
        self,
        ctx: Any,
        pipe: Any,
        block_name: str,
        *,
        model_id: str | None,
        model_family: str | None,
        model_prompt: str | None,
        gen_kwargs: Mapping[str, Any],
        parser_kwargs: Mapping[str, Any],
        batch_kwargs: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Read what InstructLab's attributes are made of; return what kfp-sdg's block is given.

        Raises:
            BlockConfigParserError: No model is named, or ``n: scaled`` stands for nothing.
            GenerateException: There is no such model family.
        """
        self.ctx, self.pipe, self.block_name = ctx, pipe, block_name
        self.model_id = resolve_model_id(self, model_id)
        own_family = ctx.model_family or model_family
        self.model_family = models.get_model_family(own_family, self.model_id)
        self.model_prompt = model_prompt
        self.batch_params = dict(batch_kwargs or {})
        parser = dict(parser_kwargs or {})
        self.parser_name = parser.get("parser_name")
        self.parsing_pattern = parser.get("parsing_pattern")
        self.parser_cleanup_tags = parser.get("parser_cleanup_tags")
        limit = ctx.max_num_tokens if block_name == LIMITED else None
        self.gen_kwargs = self._gen_kwargs(
            limit if isinstance(limit, int) else DEFAULT_MAX_NUM_TOKENS,
            dict(gen_kwargs or {}),
            model=self.model_id,
            temperature=0,
            max_tokens=DEFAULT_MAX_NUM_TOKENS,
        )
        return {
            "model_id": self.model_id,
            "model_family": model_family,
            "model_prompt": model_prompt,
            "gen_kwargs": self.gen_kwargs,
            "parser_kwargs": parser,
            "batch_kwargs": self.batch_params,
        }

    def parser(self, config: PromptConfig) -> Parser | None:
        """Return what reads the answers; nothing where there are no columns for them.

        Raises:
            PromptError: The tags or the pattern do not fit the output columns.
        """
        return super().parser(config) if self.output_cols != [NO_COLUMN] else None

    @property
    def server_supports_batched(self) -> bool:
        """Whether the server takes a list of prompts; asked when somebody wants to know."""
        client: Any = vars(self)["ctx"].client
        return server_supports_batched(client, str(self.model_id))

    def columns_after(self, columns: Sequence[str]) -> Any:
        """Return the output's columns; None where a subclass decides on them.

        Raises:
            BlockError: A prompt asks for a column that is not there.
        """
        if self.has_own("_format_prompt") or self.has_own("_validate") or self._has_own_template:
            return None
        known = super().columns_after(columns)
        return None if self._is_by_hand else known

    @property
    def _has_own_template(self) -> bool:
        """Whether a subclass put a template in the place of the config file's."""
        own = self.prompt_template
        read = [prompt.template for prompt in self.prompts.values()]
        templates = own.values() if isinstance(own, dict) else (own,)
        return any(all(template is not other for other in read) for template in templates)

    def question(self, row: Mapping[str, Any]) -> Question:
        """Return what to ask about a row.

        Raises:
            RejectedRowError: The row is not valid.
        """
        if self.has_own("_validate") and not self._validate(self.prompt_template, dict(row)):
            raise RejectedRowError("prompt", "the block's own validation refuses the row")
        return super().question(row)

    def prompt_text(self, row: Mapping[str, Any], key: str) -> str:
        """Return a row's prompt, as ``_format_prompt`` has it."""
        return self._format_prompt(dict(row))

    def rework(self, table: pa.Table, account: Account) -> pa.Table:
        """Generate and parse with the subclass's own methods."""
        table = self.extend(table)
        samples: list[dict[str, Any]] = []
        places: list[int] = []
        for place, row in enumerate(table.to_pylist()):
            if self._validate(self.prompt_template, row):
                samples.append(row)
                places.append(place)
            else:
                account.reject(row, "prompt", "the row lacks something that the prompt asks for")
        outputs = list(self._generate(samples)) if samples else []
        amount = Amount.read(self.gen_kwargs.get("n", 1), "gen_kwargs.n")
        n = amount.of(self.ctx.num_instructions_to_generate or 1)
        made: list[Mapping[str, Any]] = []
        taken: list[int] = []
        for number, (place, row) in enumerate(zip(places, samples, strict=True)):
            settled = len(made) + len(account.rejections)
            for answer in range(number * n, (number + 1) * n):
                if answer < len(outputs):
                    made += self._read_by_hand(row, outputs[answer], account)
                else:
                    account.reject(row, "teacher", f"_generate gave {len(outputs)} answers only")
            taken += [place] * (len(made) - len(taken))
            account.added += len(made) + len(account.rejections) - settled - 1
        return self._beside(table.take(row_numbers(taken)), made)

    def _parse(self, generated_string: str) -> dict[str, list[str]]:
        """Return the values of each output column in an answer."""
        parser = next(iter(self.prompts.values())).parser
        rows = parser.parse(generated_string).rows if parser else ()
        return {column: [row[column] for row in rows] for column in self.output_cols}

    def _format_prompt(self, sample: Mapping[str, Any]) -> str:
        """Return a row's prompt in the model's chat format; bare where the server formats it."""
        template = self.prompt_template
        if isinstance(template, dict):
            value = sample.get(getattr(self, "selector_column_name", ""))
            template = template[value if value in template else self.select(sample)]
        text: str = template.render(sample).strip()
        if self._options:  # prepared: it is known what the server wants
            return wrap_prompt(self._format, text) if self._format else text
        if self._own_format is not None:
            return wrap_prompt(self._own_format, text)
        if self.model_family == CHAT:
            return text
        return wrap_prompt(PromptRegistry.get_template(self.model_family), text)

    def _gen_kwargs(
        self, max_num_token_override: int, gen_kwargs: Mapping[str, Any], **defaults: Any
    ) -> dict[str, Any]:
        """Return the fields of a request.

        Args:
            max_num_token_override: The longest answer, if it is not the default.
            gen_kwargs: As the pipeline has them.
            **defaults: What they are completed with.

        Raises:
            BlockConfigParserError: ``n: scaled`` stands for nothing.
        """
        made = {**defaults, **gen_kwargs}
        if made.get("n") == "scaled":
            if not self.ctx.num_instructions_to_generate:
                raise BlockConfigParserError(SCALED_BY_NOTHING, block_name=self.block_name)
            made["n"] = self.ctx.num_instructions_to_generate
        made["temperature"] = float(made.get("temperature", 0))
        if max_num_token_override != DEFAULT_MAX_NUM_TOKENS:
            made["max_tokens"] = max_num_token_override
        elif "max_tokens" in made:
            made["max_tokens"] = int(made["max_tokens"])
        return made

    def _generate(self, samples: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the answers to rows: those to the first, then those to the second, and so on."""
        self.prepare_to_ask()
        asked = [super(PromptMethods, self).question(sample) for sample in samples]
        return [(text or "").strip() for texts in self.ask_all(asked) for text in texts]

    def _read_by_hand(
        self, row: Mapping[str, Any], output: Any, account: Account
    ) -> list[dict[str, Any]]:
        """Return the rows that ``_parse`` finds in an answer; what it leaves over is rejected."""
        parsed = self._parse(output)
        counts = {column: len(values) for column, values in parsed.items()}
        rows = [
            dict(zip(parsed, values, strict=True)) for values in zip(*parsed.values(), strict=False)
        ]
        if not rows or len(set(counts.values())) > 1:
            told = ", ".join(f"{count} for {column!r}" for column, count in counts.items())
            answer = output if isinstance(output, str) else repr(output)
            account.reject(row, "parse", f"values found: {told or 'none'}", answer)
        return rows

    def _beside(self, inputs: pa.Table, made: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Return the rows that answers were about with the values from the answers."""
        import pyarrow as pa

        if not made:
            empty = pa.array([], pa.string())
            for column in self.output_cols:
                inputs = put_column(inputs, column, empty)
            return inputs
        try:
            values = rows_from_objects(made, source="what _parse made")
        except StorageError as error:
            raise self.error(str(error)) from error
        for column in values.column_names:
            inputs = put_column(inputs, column, values[column])
        return inputs
