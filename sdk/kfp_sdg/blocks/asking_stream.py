"""An asking block at work: rows become requests, answers become rows, all in the rows' order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kfp_sdg.blocks.account import Account, Rejection
from kfp_sdg.blocks.asking import RejectedRowError, RowResult
from kfp_sdg.blocks.beside import SLICE, beside
from kfp_sdg.blocks.columns import row_numbers
from kfp_sdg.blocks.prefixes import neighbours_first
from kfp_sdg.blocks.streams import Outlet, Piece, Stream
from kfp_sdg.errors import SdgError, TeacherError
from kfp_sdg.teacher import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.blocks.asking import AskingBlock
    from kfp_sdg.blocks.exchange import Exchange
    from kfp_sdg.teacher import RequestStatistics
    from kfp_sdg.teacher.inquiry import Result

BATCH = 256
"""Rows that are asked about together: enough to find those that begin alike, few enough not to keep
the answers of others waiting."""

FAILURES_OF_A_TEACHER = 5
"""So many requests of a block have to fail, and none be answered, before it is the teacher's fault
and not the rows'."""

_TAKEN = RowResult()


@dataclass(slots=True)
class Batch:
    """Rows that were asked about together.

    Attributes:
        table: The rows.
        rows: The same as mappings; None where the answer was read.
        results: What became of each row so far; None where that is not known.
        passed_on: How many rows, from the first, were put out.
    """

    table: pa.Table
    rows: list[dict[str, Any] | None]
    results: list[RowResult | None] = field(init=False)
    passed_on: int = 0

    def __post_init__(self) -> None:
        """Nothing is known of any row."""
        self.results = [None] * len(self.rows)

    def take_finished(self, *, past_gaps: bool) -> tuple[pa.Table, list[RowResult]]:
        """Return the next rows whose results are there, in their order, and the results.

        Args:
            past_gaps: Whether rows behind an unanswered one count too; then the batch is done.
        """
        first, indices, results = self.passed_on, [], []
        for index in range(first, len(self.results)):
            result = self.results[index]
            if result is not None:
                indices.append(index)
                results.append(result)
                self.results[index] = _TAKEN
            elif not past_gaps:
                break
        self.passed_on = len(self.results) if past_gaps else first + len(indices)
        if past_gaps:
            return self.table.take(row_numbers(indices)), results
        return self.table.slice(first, len(indices)), results

    @property
    def is_done(self) -> bool:
        """Whether all rows were put out."""
        return self.passed_on == len(self.results)


class AskingStream(Stream):
    """An asking block at work.

    Rows come in at any time. They are asked about as soon as the exchange lets them, and put out
    once their answers and those of all rows before them are there.

    Attributes:
        model: The model that is asked.
    """

    def __init__(
        self,
        block: AskingBlock,
        outlet: Outlet,
        exchange: Exchange,
        *,
        scope: str,
        statistics: RequestStatistics,
    ) -> None:
        """Begin.

        Args:
            block: The block, prepared.
            outlet: Who takes what comes out.
            exchange: Where the requests go.
            scope: Who asks, for the requests.
            statistics: Counts what the requests take.
        """
        super().__init__(outlet)
        self.model = block.model
        self._block = block
        self._inquiry = exchange.inquiry
        self._scope = scope
        self._statistics = statistics
        self._keys = block.keys(scope)
        self._new_columns = block.new_columns()
        self._to_ask: deque[pa.Table] = deque()
        self._batches: deque[Batch] = deque()
        self._next_index = 0
        self._is_ended = False
        self._answered = self._failed = self._sent = 0
        self._failures_that_tell = 0
        exchange.add(self)

    @property
    def has_backlog(self) -> bool:
        """Whether there are rows that were not asked about yet."""
        return bool(self._to_ask)

    def feed(self, rows: pa.Table) -> None:
        """Take the next rows, to be asked about when ``ask`` is called.

        Raises:
            BlockError: The block cannot work with these columns.
        """
        if not rows.num_rows:
            self._block.columns_after(rows.column_names)
            empty = beside(self._block.extend(rows), [], self._new_columns)
            self.outlet.put(Piece(rows, empty, Account()))
        for start in range(0, rows.num_rows, BATCH):
            self._to_ask.append(rows.slice(start, BATCH))

    def end(self) -> None:
        """Take note that the last rows have come."""
        self._is_ended = True
        self._close_if_done()

    def ask(self) -> None:
        """Ask about the next rows."""
        table = self._block.extend(self._next_rows())
        batch = Batch(table, table.to_pylist())
        self._batches.append(batch)
        asked = []
        for offset, row in enumerate(batch.rows):
            request = self._request(row or {}, batch, offset)
            if request is not None:
                asked.append(((self, batch, offset), request))
        order = neighbours_first([_text(request.prompt) for _, request in asked])
        self._sent += len(asked)
        self._inquiry.send([asked[index] for index in order])
        self.put_finished()

    def answer(self, batch: Batch, offset: int, result: Result) -> None:
        """Read the answer to one row; the row comes out with ``put_finished``.

        Args:
            batch: The batch that the row is in.
            offset: The row's place in it.
            result: The teacher's answer or failure.

        Raises:
            TeacherError: No row can be answered (wrong key, unknown model).
        """
        row = batch.rows[offset] or {}
        batch.rows[offset] = None
        if isinstance(result, Answer):
            self._answered += 1
            made = self._read(row, result)
            for rejection in made.rejections:
                self._statistics.parse_failures += rejection.reason == "parse"
        elif isinstance(result, TeacherError) and not result.fatal:
            self._note_failure(result)
            made = RowResult(rejections=(Rejection(row, "teacher", str(result)),))
        else:
            raise result
        batch.results[offset] = made
        self.outlet.note(1, len(made.rejections))

    def put_finished(self, *, past_gaps: bool = False) -> None:
        """Put out all rows that are not behind an unanswered one.

        Args:
            past_gaps: Put out those behind one as well, and forget the unanswered ones: what is
                left to do when a run stops.
        """
        tables, read, account = [], [], Account()
        while self._batches:
            inputs, results = self._batches[0].take_finished(past_gaps=past_gaps)
            if results:
                tables.append(beside(inputs, results, self._new_columns))
                read.append(inputs)
                for result in results:
                    account.added += len(result.rows) + len(result.rejections) - 1
                    account.rejections += result.rejections
            if not self._batches[0].is_done:
                break
            self._batches.popleft()
        if tables:
            made = pa.concat_tables(tables)
            if len(tables) > 1 and made.num_rows <= SLICE:
                made = made.combine_chunks()
            self.outlet.put(Piece(pa.concat_tables(read), made, account))
        self._close_if_done()

    def _next_rows(self) -> pa.Table:
        """Take the next rows to be asked about; what came in small chunks is put together."""
        tables = [self._to_ask.popleft()]
        rows = tables[0].num_rows
        while self._to_ask and rows + self._to_ask[0].num_rows <= BATCH:
            tables.append(self._to_ask.popleft())
            rows += tables[-1].num_rows
        return pa.concat_tables(tables).combine_chunks() if len(tables) > 1 else tables[0]

    def _close_if_done(self) -> None:
        if self._is_ended and not self._to_ask and not self._batches:
            self._is_ended = False  # once
            self.outlet.close()

    def _request(self, row: Mapping[str, Any], batch: Batch, offset: int) -> Request | None:
        """Return what to ask about a row; None where the row is rejected."""
        index = self._next_index
        self._next_index += 1
        try:
            n = self._block.count(row)
            question = self._block.question(row)
        except RejectedRowError as error:
            rejection = Rejection(row, error.reason, error.message)
            batch.results[offset] = RowResult(rejections=(rejection,))
            self.outlet.note(1, 1)
            return None
        except SdgError:
            raise
        except Exception as error:
            raise self._block.failure(error, row=index) from error
        asked = (
            question.prompt,
            self.model,
            n,
            question.options,
            self._scope,
            index,
        )
        request = Request(*asked, statistics=self._statistics)
        if self._keys is None:
            return request
        return Request(*asked, self._keys.of(request), self._statistics)

    def _read(self, row: Mapping[str, Any], answer: Answer) -> RowResult:
        try:
            return self._block.read(row, answer)
        except SdgError:
            raise
        except Exception as error:
            raise self._block.failure(error) from error

    def _note_failure(self, error: TeacherError) -> None:
        """Stop the run when nothing but failures comes back.

        One bad row may fail before the good ones beside it are answered. So as many requests have
        to fail as were under way together when the first one did.
        """
        self._failed += 1
        if self._failed == 1:
            at_once = min(self._sent, self._inquiry.concurrency(self.model))
            self._failures_that_tell = max(FAILURES_OF_A_TEACHER, at_once)
        if not self._answered and self._failed >= self._failures_that_tell:
            raise TeacherError(
                f"block {self._block.block_name!r}: all of the first {self._failed} requests "
                f"failed; the last one: {error}",
                status=error.status,
                fatal=True,
            ) from error


def _text(prompt: str | Sequence[Mapping[str, Any]]) -> str:
    """Return what a prompt begins with."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(str(message.get("content")) for message in prompt)
