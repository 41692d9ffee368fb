"""What all blocks that ask the teacher share: one row becomes one request, many rows at a time."""

from __future__ import annotations

import difflib
import logging
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.blocks.base import Block
from kfp_sdg.blocks.generation import Generation, GenKwargs
from kfp_sdg.blocks.model_choice import chosen_model
from kfp_sdg.errors import TeacherError
from kfp_sdg.spec.scaling import SCALE_COLUMN, whole_number
from kfp_sdg.teacher import Answer, Message, RequestStatistics, Teacher, TeacherPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.errors import BlockError
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.spec.scaling import Amount
    from kfp_sdg.teacher.journal import Keys

logger = logging.getLogger(__name__)

SAMPLING_TEMPERATURE = 0.7
"""Temperature for several answers where none is given; at 0 they would all be the same, and vLLM
refuses the request."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one row.

    Attributes:
        prompt: Text for completions, messages for chat.
        options: Fields of the request body.
    """

    prompt: str | tuple[Message, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one input row. Rows and rejections together are at least one.

    Attributes:
        rows: The values of the new columns, one mapping per output row.
        rejections: What could not be used.
    """

    rows: tuple[Mapping[str, Any], ...] = ()
    rejections: tuple[Rejection, ...] = ()


class RejectedRowError(Exception):
    """A row about which nothing can be asked.

    Attributes:
        reason: The rejection's reason.
        message: What is wrong.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


class AskingBlock(Block):
    """Base of the blocks that ask the teacher about every row.

    A subclass says what to ask (``question``), how to read the answer (``read``) and which columns
    come of it (``new_columns``).

    Attributes:
        model_id: The block's own model.
        generation: How answers are wanted.
        scope: Who asks, for its requests' ``scope``.
        model: The model that is asked; known after ``prepare``.
        n: Answers per row that has no scale factor of its own; known after ``prepare``.
    """

    row_wise = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        *,
        model_id: str | None,
        gen_kwargs: GenKwargs | None,
    ) -> None:
        """Read the settings that all asking blocks have.

        Raises:
            BlockError: A number in ``gen_kwargs`` is none.
        """
        super().__init__(ctx, pipe, block_name)
        self.model_id = model_id
        self.scope = ctx.scope(block_name)
        try:
            self.generation = Generation.read(gen_kwargs, max_num_tokens=ctx.max_num_tokens)
        except (TypeError, ValueError) as error:
            raise self.error(str(error)) from None
        self.model = ""
        self.n = 0
        self._keys: dict[str, Keys] = {}

    @abstractmethod
    def question(self, row: Mapping[str, Any]) -> Question:
        """Return what to ask about a row.

        Raises:
            RejectedRowError: Nothing can be asked about it.
        """

    @abstractmethod
    def read(self, row: Mapping[str, Any], answer: Answer) -> RowResult:
        """Turn the teacher's answer into rows and rejections."""

    @abstractmethod
    def new_columns(self) -> dict[str, pa.DataType]:
        """Return the columns that come of the answers, with their types."""

    def extend(self, table: pa.Table) -> pa.Table:
        """Return the rows with columns that do not come of answers."""
        return table

    def prepare(self) -> None:
        """Find out what to ask of which model; a second call does nothing.

        Raises:
            BlockError: ``n: scaled`` without a number, or no teacher.
            TeacherError: No model is named, or the server does not have it.
        """
        if self.model:
            return
        self.n = self.amount(self.generation.n, "gen_kwargs.n", {})
        if self.n > 1 and self.generation.options["temperature"] <= 0:
            logger.warning(
                "block %r: %d answers per row need a temperature above 0; taking %g",
                self.block_name,
                self.n,
                SAMPLING_TEMPERATURE,
            )
        self.model = self._find_model()

    def count(self, row: Mapping[str, Any]) -> int:
        """Return how many answers a row gets.

        Raises:
            RejectedRowError: Its own scale factor is no number.
        """
        amount = self.generation.n
        return self.amount(amount, "gen_kwargs.n", row) if amount.is_scaled else self.n

    def amount(self, amount: Amount, name: str, row: Mapping[str, Any]) -> int:
        """Return what an amount is for a row.

        Args:
            amount: The amount.
            name: The setting that it is from, for the error.
            row: The row; its scale factor counts, if it has one, and the run's else.

        Raises:
            BlockError: The amount is scaled, and the run has no scale factor.
            RejectedRowError: The row's scale factor is no whole number from 1.
        """
        scale = self.ctx.num_instructions_to_generate
        if not amount.is_scaled:
            return amount.of(1)
        if not scale:
            raise self.error(
                f"{name} is scaled, which needs the run's number of instructions to generate "
                "(num_instructions_to_generate, --num-instructions)"
            )
        cell = row.get(SCALE_COLUMN)
        if cell is None:
            return amount.of(scale)
        own = whole_number(cell)
        if own is None:
            raise RejectedRowError(
                "scale", f"{SCALE_COLUMN} is {cell!r}; expected a whole number from 1"
            )
        return amount.of(own)

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Ask about every row and put the answers beside the rows they are about.

        Raises:
            BlockError: A column is missing or taken.
            TeacherError: The teacher cannot be used.
        """
        from kfp_sdg.blocks.beside import beside
        from kfp_sdg.blocks.exchange import ask_about

        self.columns_after(table.column_names)
        account.statistics = account.statistics or RequestStatistics()
        if not table.num_rows:
            return beside(self.extend(table), [], self.new_columns())
        self.prepare()
        return ask_about(self, table, account, account.statistics)

    def keys(self, scope: str) -> Keys | None:
        """Return what gives the requests of a scope their keys for the journal.

        The same object for the same scope: a custom block may ask about equal rows several times,
        and wants an answer of its own each time.

        Args:
            scope: Who asks: the block's name, inside an IterBlock with the iteration.

        Returns:
            None where the run keeps no journal.
        """
        if self.teachers.journal is None:
            return None
        from kfp_sdg.teacher.journal import Keys

        if scope not in self._keys:
            self._keys[scope] = Keys(scope)
        return self._keys[scope]

    def failure(self, error: Exception, *, row: int | None = None) -> BlockError:
        """Return the error for a defect of a block's own code."""
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return self.error(f"failed: {told}", row=row)

    def options(self, *, chat: bool, n: int) -> dict[str, Any]:
        """Return the request's fields, with a temperature that fits the number of answers."""
        options = self.generation.options_for(chat=chat)
        if n > 1 and options["temperature"] <= 0:
            options["temperature"] = SAMPLING_TEMPERATURE
        return options

    def missing_choices(self, row: Mapping[str, Any], answer: Answer) -> list[Rejection]:
        """Return a rejection for each answer that the server was asked for and did not give."""
        wanted = self.count(row)
        lacking = wanted - len(answer.choices)
        message = f"the server gave {len(answer.choices)} of {wanted} answers"
        return [Rejection(row, "teacher", message) for _ in range(lacking)]

    @property
    def teachers(self) -> TeacherPool:
        """The run's teachers.

        Raises:
            BlockError: The run has none.
        """
        if self.ctx.teachers is None:
            raise self.error(
                "it asks a model, but the run names no teacher; give --teacher-url URL, or "
                "--teacher embedded for a small model on this machine"
            )
        return self.ctx.teachers

    @property
    def teacher(self) -> Teacher:
        """The teacher that answers for the block's model."""
        return self.teachers.teacher(self.model)

    def _find_model(self) -> str:
        """Return the model to ask and make sure that its server has it."""
        model = chosen_model(
            insisted=self.generation.model,
            own=self.model_id,
            run=self.ctx.model_id,
            has_endpoint=self.teachers.has_endpoint,
        )
        listed = self.teachers.run(self.teachers.teacher(model).models())
        names = ", ".join(listed) or "none"
        if not model and len(listed) == 1:
            return listed[0]
        if not model:
            raise TeacherError(
                f"block {self.block_name!r} and the run name no model, and the server does not "
                f"have just one; set model_id to one of its models: {names}",
                fatal=True,
            )
        if listed and model not in listed:
            near = difflib.get_close_matches(model, listed, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TeacherError(
                f"block {self.block_name!r} asks for model {model!r}, which the server does not "
                f"list; it has {names}{hint}",
                fatal=True,
            )
        return model


@cache
def warn_once(message: str) -> None:
    """Log a warning unless the process has already done so."""
    logger.warning(message)
