"""What the blocks with a prompt config share: template, chat format, grammar, parser."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.blocks.asking import AskingBlock, Question, RejectedRowError, RowResult, warn_once
from kfp_sdg.blocks.model_choice import run_family_for
from kfp_sdg.prompts import (
    CHAT,
    Parser,
    PatternParser,
    PromptConfig,
    PromptError,
    PromptRegistry,
    PromptTemplate,
    TagParser,
    derive_grammar,
    resolve_family,
    wrap_prompt,
)
from kfp_sdg.spec.scaling import SCALE_COLUMN, Amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.blocks.generation import BatchKwargs, GenKwargs, ParserKwargs
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.teacher import Answer, Choice

logger = logging.getLogger(__name__)

FORMAT_VARIABLES = {"prompt", "messages", "add_generation_prompt"}
"""What a ``model_prompt`` may ask for."""

NUM_SAMPLES = "num_samples"
"""The column that ``batch_kwargs.num_samples`` makes."""

CONSTRAINTS = {"grammar", "structured_outputs", "json_schema", "response_format"}
"""Fields of ``extra_body`` with which a user constrains answers; then ours stays away."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt config, ready for use.

    Attributes:
        config: The config.
        template: Its template.
        parser: What reads the answers; None in a block that does not parse.
    """

    config: PromptConfig
    template: PromptTemplate
    parser: Parser | None


class PromptingBlock(AskingBlock):
    """Base of the blocks whose question comes from prompt configs.

    A subclass says which of its configs a row takes (``select``), if it has several.

    Attributes:
        output_cols: The columns that answers are parsed into.
        prompts: The block's prompts by the key they are selected with.
    """

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        *,
        config_paths: Mapping[str, str],
        output_cols: Sequence[str],
        model_id: str | None,
        model_family: str | None,
        model_prompt: str | None,
        gen_kwargs: GenKwargs | None,
        parser_kwargs: ParserKwargs | None,
        batch_kwargs: BatchKwargs | None,
    ) -> None:
        """Compile the prompts and the parsers.

        Args:
            ctx: The run's settings.
            pipe: The pipeline the block is part of.
            block_name: The block's name in the pipeline.
            config_paths: Key → prompt config.
            output_cols: As the pipeline has it, like all that follow.
            model_id: The block's own model.
            model_family: The block's own chat format.
            model_prompt: A chat format as text.
            gen_kwargs: Fields of the request.
            parser_kwargs: A parser of the user's.
            batch_kwargs: The number of samples.

        Raises:
            BlockError: A setting is wrong: a template or a pattern is broken, a column has no tags.
            SpecError: A prompt config is wrong.
        """
        super().__init__(ctx, pipe, block_name, model_id=model_id, gen_kwargs=gen_kwargs)
        if not output_cols or len(set(output_cols)) < len(output_cols):
            raise self.error(
                f"output_cols is {output_cols!r}; expected one or more names, no twins"
            )
        self.output_cols = list(output_cols)
        self._model_family = model_family
        self._parser_kwargs = parser_kwargs or {}
        self._num_samples = self._samples((batch_kwargs or {}).get("num_samples"))
        self._own_format = self._compile_format(model_prompt)
        self.prompts = {key: self._prompt(path) for key, path in config_paths.items()}
        self._options: dict[tuple[str, bool, int], Mapping[str, Any]] = {}
        self._format: PromptTemplate | None = None

    def select(self, row: Mapping[str, Any]) -> str:
        """Return the key of the prompt that a row takes.

        Raises:
            RejectedRowError: There is none for it.
        """
        return next(iter(self.prompts))

    def parser(self, config: PromptConfig) -> Parser | None:
        """Return what reads the answers to a prompt.

        Raises:
            PromptError: The tags or the pattern do not fit the output columns.
        """
        settings = self._parser_kwargs
        name, pattern = settings.get("parser_name"), settings.get("parsing_pattern")
        if name == "custom":
            if not pattern:
                raise PromptError("parser_name: custom needs a parsing_pattern")
            return PatternParser(
                self.output_cols, pattern, settings.get("parser_cleanup_tags") or ()
            )
        if name:
            raise PromptError(
                f"unknown parser_name {name!r}; expected custom, or none for the tags"
            )
        if pattern:
            raise PromptError("a parsing_pattern is only used with parser_name: custom; add that")
        return TagParser(self.output_cols, config.start_tags, config.end_tags)

    def new_columns(self) -> dict[str, pa.DataType]:
        """Return the output columns, all of them text."""
        import pyarrow as pa

        return dict.fromkeys(self.output_cols, pa.string())

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns with ``num_samples`` and the output columns.

        Raises:
            BlockError: A prompt asks for a column that is not there.
        """
        known = list(dict.fromkeys([*columns, *([NUM_SAMPLES] if self._num_samples else [])]))
        for prompt in self.prompts.values():
            missing = sorted(prompt.template.required - set(known))
            if missing:
                raise self.error(
                    f"prompt config {prompt.config.path!r} asks for "
                    f"{', '.join(map(repr, missing))}, but the rows have no such "
                    f"column{'s' if len(missing) > 1 else ''}; they have "
                    f"{', '.join(columns) or 'none'}"
                )
        return list(dict.fromkeys([*known, *self.new_columns()]))

    def extend(self, table: pa.Table) -> pa.Table:
        """Return the rows with a column ``num_samples``, if the block sets it and they lack it."""
        import pyarrow as pa

        if self._num_samples is None or NUM_SAMPLES in table.column_names:
            return table
        if self._num_samples.is_scaled and SCALE_COLUMN in table.column_names:
            cells = table.column(SCALE_COLUMN).to_pylist()
            numbers = [self._samples_of({SCALE_COLUMN: cell}) for cell in cells]
            return table.append_column(NUM_SAMPLES, pa.array(numbers, pa.int64()))
        number = pa.scalar(self._samples_of({}) if len(table) else None, pa.int64())
        return table.append_column(NUM_SAMPLES, pa.repeat(number, len(table)))

    def prepare(self) -> None:
        """Choose the chat format and the endpoint, and derive the grammars.

        Raises:
            BlockError: The settings cannot work in this run.
            TeacherError: The teacher cannot be used.
        """
        if self._options:
            return
        super().prepare()
        samples = self._samples_of({})
        self._format = self._choose_format()
        for key in self.prompts:
            self._options_for(key, self.n, samples or 1)

    def question(self, row: Mapping[str, Any]) -> Question:
        """Return the row's prompt in the model's chat format.

        Raises:
            RejectedRowError: The template cannot be rendered for this row.
        """
        key = self.select(row)
        try:
            text = self.prompt_text(row, key)
            options = self._options_for(key, self.count(row), self._entries(row))
        except PromptError as error:
            raise RejectedRowError("prompt", f"the prompt cannot be rendered: {error}") from error
        if self._format is None:
            return Question(({"role": "user", "content": text},), options)
        return Question(text, options)

    def prompt_text(self, row: Mapping[str, Any], key: str) -> str:
        """Return a row's prompt in the model's chat format; bare where the server formats it.

        Args:
            row: The row.
            key: The key of its prompt.

        Raises:
            PromptError: The template cannot be rendered for this row.
        """
        text = self.prompts[key].template.render(row).strip()
        return text if self._format is None else wrap_prompt(self._format, text)

    def read(self, row: Mapping[str, Any], answer: Answer) -> RowResult:
        """Parse every answer on its own."""
        rows: list[Mapping[str, Any]] = []
        rejections: list[Rejection] = []
        key = self.select(row)
        for choice in answer.choices:
            made, rejection = self.read_choice(row, key, choice)
            rows += made
            rejections += [rejection] if rejection else []
        return RowResult(tuple(rows), (*rejections, *self.missing_choices(row, answer)))

    def read_choice(
        self, row: Mapping[str, Any], key: str, choice: Choice
    ) -> tuple[Sequence[Mapping[str, Any]], Rejection | None]:
        """Turn one answer into rows and, where something of it is of no use, a rejection.

        Args:
            row: The input row.
            key: The key of the prompt that was asked.
            choice: The answer.
        """
        parser = self.prompts[key].parser
        if choice.text is None or parser is None:
            return (), Rejection(row, "parse", "the answer has no text")
        parsed = parser.parse(choice.text.strip())
        if parsed.failure is None:
            return parsed.rows, None
        message = parsed.failure
        if choice.finish_reason == "length":
            message += (
                f"; the answer was cut at max_tokens ({self.generation.max_tokens}), raise it in "
                "gen_kwargs"
            )
        return parsed.rows, Rejection(row, "parse", message, choice.text)

    def _prompt(self, path: str) -> Prompt:
        config = PromptConfig.from_file(self.config_file(path))
        try:
            return Prompt(config, config.template, self.parser(config))
        except PromptError as error:
            raise self.error(f"prompt config {path!r}: {error}") from error

    def _compile_format(self, model_prompt: str | None) -> PromptTemplate | None:
        if model_prompt is None:
            return None
        try:
            template = PromptRegistry.template_from_string(model_prompt or "{{ prompt }}")
        except PromptError as error:
            raise self.error(f"model_prompt is not a template: {error}") from error
        unknown = sorted(template.required - FORMAT_VARIABLES)
        if unknown or not template.variables & {"prompt", "messages"}:
            told = f"asks for {', '.join(unknown)}" if unknown else "has no {{prompt}}"
            raise self.error(f"model_prompt {told}; the row's prompt stands at {{{{prompt}}}}")
        return template

    def _choose_format(self) -> PromptTemplate | None:
        """Return the chat format, or None where messages go to the chat endpoint."""
        template = self._own_format
        if template is None:
            family = resolve_family(self.model, run=self._run_family(), block=self._model_family)
            if family == CHAT:
                return None
            template = PromptRegistry.get_template(family)
        if self.teachers.run(self.teacher.has_completions()):
            return template
        warn_once(
            f"the server of model {self.model!r} has no /v1/completions; prompts go to "
            "/v1/chat/completions and the server formats them (model_family: chat)"
        )
        return None

    def _run_family(self) -> str | None:
        """Return the run's family, unless the block keeps another model than the run's."""
        return run_family_for(
            self.model,
            run_model=self.ctx.model_id,
            run_family=self.ctx.model_family,
            has_endpoint=self.teachers.has_endpoint,
        )

    def _samples(self, setting: int | str | None) -> Amount | None:
        """Return the setting ``num_samples``."""
        try:
            return None if setting is None else Amount.read(setting, "batch_kwargs.num_samples")
        except ValueError as error:
            raise self.error(str(error)) from None

    def _samples_of(self, row: Mapping[str, Any]) -> int | None:
        """Return how many samples the prompt is to ask for; None where the row cannot say."""
        if self._num_samples is None:
            return None
        try:
            return self.amount(self._num_samples, "batch_kwargs.num_samples", row)
        except RejectedRowError:
            return None  # the row is rejected when it is asked about

    def _entries(self, row: Mapping[str, Any]) -> int:
        """Return how many rows an answer is to give.

        Raises:
            RejectedRowError: The row's own scale factor is no number.
        """
        if self._num_samples is None:
            return 1
        return self.amount(self._num_samples, "batch_kwargs.num_samples", row)

    def _options_for(self, key: str, n: int, entries: int) -> Mapping[str, Any]:
        """Return the request's fields for a prompt, made once for all rows that have the same."""
        kind = (key, n > 1, entries)
        if kind not in self._options:
            options = self.options(chat=self._format is None, n=n)
            self._options[kind] = self._constrained(options, self.prompts[key], entries)
        return self._options[kind]

    def _constrained(
        self, options: Mapping[str, Any], prompt: Prompt, entries: int
    ) -> Mapping[str, Any]:
        """Return the request's fields with the prompt's grammar, where one is wanted."""
        wanted = self.generation.constrain
        extra = dict(options.get("extra_body") or {})
        if not (self.ctx.constrain if wanted is None else wanted) or prompt.parser is None:
            return options
        if CONSTRAINTS & {*extra, *options} or any(key.startswith("guided_") for key in extra):
            return options
        grammar = prompt.config.grammar or self._derive(prompt.config, entries)
        if grammar is None:
            return options
        # vLLM reads one key, llama.cpp the other; each ignores the one it does not know.
        extra |= {"grammar": grammar, "structured_outputs": {"grammar": grammar}}
        return {**options, "extra_body": extra}

    def _derive(self, config: PromptConfig, entries: int) -> str | None:
        if not config.start_tags:
            logger.warning(
                "block %r: no grammar for %s, which has neither tags nor a grammar of its own; "
                "answers are not constrained",
                self.block_name,
                config.path,
            )
            return None
        used = slice(len(self.output_cols))
        return derive_grammar(
            config.start_tags[used],
            config.end_tags[used],
            max_tokens=self.generation.max_tokens,
            entries=entries,
        )
