"""What becomes of a block whose subclass generates or parses by itself: it is given all rows."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from instructlab.sdg._context import DEFAULT_MAX_NUM_TOKENS
from instructlab.sdg.blocks._batches import in_batches
from kfp_sdg.blocks import Account
from kfp_sdg.blocks import Block as KfpBlock
from kfp_sdg.blocks.asking import AskingBlock, Question
from kfp_sdg.blocks.generation import Generation
from kfp_sdg.teacher import Answer, Request, RequestStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from kfp_sdg.teacher.inquiry import Inquiry


class ByHand(AskingBlock):
    """An asking block with the methods of InstructLab's that subclasses override.

    While a subclass leaves ``REWORKED`` alone, the engine streams rows through the block. If it has
    one of these methods of its own, its ``apply`` becomes ``apply_by_hand``.

    Attributes:
        gen_kwargs: The fields of a request; what a subclass changes in them counts.
    """

    REWORKED: ClassVar[tuple[str, ...]] = ()

    gen_kwargs: dict[str, Any]

    _is_in_generate = False
    _statistics: RequestStatistics | None = None
    _is_by_hand: ClassVar[bool] = False

    def __init_subclass__(cls, **settings: Any) -> None:
        """Look at what a subclass does by itself."""
        super().__init_subclass__(**settings)
        own = vars(cls)
        if cls.__module__.startswith("instructlab.sdg."):
            return
        if "generate" in own:
            cls.generate = _noted(cls.generate)  # type: ignore[method-assign]
        if "apply" not in own and any(name in own for name in cls.REWORKED):
            cls._is_by_hand = True
            cls.apply = cls.apply_by_hand  # type: ignore[method-assign,assignment]

    def apply_by_hand(self, table: pa.Table, account: Account) -> pa.Table:
        """Let the subclass's own methods work; see ``Block.apply``."""
        if type(self).generate is not KfpBlock.generate and not self._is_in_generate:
            return KfpBlock.apply(self, table, account)
        statistics = account.statistics = account.statistics or RequestStatistics()

        def work(block: ByHand, batch: range) -> tuple[pa.Table, Account]:
            books = Account(statistics=statistics)
            block._statistics = statistics
            return block.rework(table.slice(batch.start, len(batch)), books), books

        made = in_batches(self, table.num_rows, work)
        for _, books in made:
            account.added += books.added
            account.rejections += books.rejections
        return concatenated([rows for rows, _ in made])

    def rework(self, table: pa.Table, account: Account) -> pa.Table:
        """Turn input rows into output rows with the methods in ``REWORKED``."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Find out what to ask of which model, unless the subclass asks by itself.

        Raises:
            BlockError: The settings cannot work in this run.
            TeacherError: The teacher cannot be used.
        """
        if "_generate" not in self.REWORKED or not self.has_own("_generate"):
            self.prepare_to_ask()

    def prepare_to_ask(self) -> None:
        """Find out what to ask of which model, by the ``gen_kwargs`` of now."""
        if not self.model:
            try:
                self.generation = Generation.read(
                    self.gen_kwargs,  # type: ignore[arg-type]  # read() looks at every value
                    max_num_tokens=DEFAULT_MAX_NUM_TOKENS,
                )
            except (TypeError, ValueError) as error:
                raise self.error(str(error)) from None
        super().prepare()

    def has_own(self, name: str) -> bool:
        """Tell whether a subclass has a method of its own."""
        kind = next(kind for kind in type(self).__mro__ if name in vars(kind))
        return not kind.__module__.startswith(("instructlab.sdg.", "kfp_sdg."))

    def ask_all(self, questions: Sequence[Question]) -> list[list[str | None]]:
        """Ask many questions at once.

        Args:
            questions: What to ask.

        Returns:
            For each question as many answers as were wanted; None for one without text.

        Raises:
            TeacherError: One of them cannot be answered.
        """
        statistics = self._statistics or RequestStatistics()
        keys = self.keys(self.scope)
        asked = []
        for index, question in enumerate(questions):
            request = Request(
                question.prompt,
                self.model,
                self.n,
                question.options,
                self.scope,
                index,
                statistics=statistics,
            )
            asked.append((index, replace(request, key=keys.of(request)) if keys else request))
        answers: list[list[str | None]] = [[] for _ in questions]
        inquiry = self.teachers.inquiry()
        try:
            inquiry.send(asked)
            for index, answer in _collected(inquiry):
                texts = [choice.text for choice in answer.choices]
                answers[index] = [*texts, *[None] * (self.n - len(texts))]
        finally:
            inquiry.cancel()
        return answers


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of tables whose columns are alike, one table after another."""
    import pyarrow as pa

    if len(tables) == 1:
        return tables[0]
    full = [table for table in tables if table.num_rows] or tables[:1]
    return pa.concat_tables(full, promote_options="permissive")


def _noted(generate: Callable[..., Any]) -> Callable[..., Any]:
    """Return a subclass's ``generate`` that tells ``apply`` when it is called from inside of it."""

    @functools.wraps(generate)
    def noted(self: ByHand, *args: Any, **settings: Any) -> Any:
        before, self._is_in_generate = self._is_in_generate, True
        try:
            return generate(self, *args, **settings)
        finally:
            self._is_in_generate = before

    return noted


def _collected(inquiry: Inquiry[int]) -> Iterator[tuple[int, Answer]]:
    """Yield answers as they come; the first failure is raised."""
    while not inquiry.is_idle:
        for index, result in inquiry.collect(wait=True):
            if not isinstance(result, Answer):
                raise result
            yield index, result
