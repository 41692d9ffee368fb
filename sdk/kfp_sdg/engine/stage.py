"""One block's place in a run: its stream, then drop_columns and drop_duplicates, and its books."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from kfp_sdg.blocks import Account
from kfp_sdg.engine.books import Books, require_balance
from kfp_sdg.engine.columns import require_duplicate_columns
from kfp_sdg.engine.streams import passes
from kfp_sdg.teacher import Usage

if TYPE_CHECKING:
    from kfp_sdg.blocks import Block, Rejection
    from kfp_sdg.blocks.streams import Piece, Stream
    from kfp_sdg.engine.duplicates import Deduplicator
    from kfp_sdg.engine.observer import Observer
    from kfp_sdg.engine.sink import Sink
    from kfp_sdg.engine.tolerance import Tolerance
    from kfp_sdg.errors import BlockError
    from kfp_sdg.spec import BlockSpec
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics

logger = logging.getLogger(__name__)


class Stage:
    """One block's place in a run. It is the outlet of the block's stream.

    Attributes:
        index: The block's place in the pipeline, counted from 1.
        block_spec: Its entry there.
        block: The block.
        stream: The block at work; set before the first row comes.
        next: The block that takes its output; None for the last one.
        sink: Who keeps its output; None for all but the last one.
        books: Where the rows went so far.
        entry: The final books; None while the block is at work.
    """

    stream: Stream
    next: Stage | None = None
    sink: Sink | None = None

    def __init__(
        self,
        index: int,
        total: int,
        block_spec: BlockSpec,
        block: Block,
        *,
        observer: Observer,
        tolerance: Tolerance,
        rows_known: int | None,
        rows_expected: int,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Begin.

        Args:
            index: The block's place in the pipeline, counted from 1.
            total: How many blocks the pipeline has.
            block_spec: The block's entry in the pipeline.
            block: The block.
            observer: Who is told.
            tolerance: How many rows it may reject.
            rows_known: How many input rows will come, where that is known.
            rows_expected: How many rows the block is going to work on, those that it adds included,
                as far as can be told; rather too many than too few.
            statistics: Counts what its requests take; None for a block that asks nobody.
        """
        self.index = index
        self.block_spec = block_spec
        self.block = block
        self.books = Books()
        self.entry: HistoryEntry | None = None
        self.statistics = statistics
        self._total = total
        self._observer = observer
        self._tolerance = tolerance
        self._rows_known = rows_known
        self._rows_expected = rows_expected
        self._passes = passes(block) if statistics else 1
        self._rejections: list[Rejection] = []
        self._schema = pa.schema([])
        self._unique: Deduplicator | None = None
        self._is_started = self._showed_columns = False
        self._first_row_at = self._last_row_at = 0.0
        self._arrived = self._done = self._rejected = 0
        self._told = (0, 0, 0, Usage())

    def feed(self, rows: pa.Table) -> None:
        """Take the next input rows; a chunk without rows shows the columns."""
        self._schema = rows.schema
        if rows.num_rows:
            self.start()
            self._arrived += rows.num_rows
        self.stream.feed(rows)

    def end(self) -> None:
        """Take note that the last input rows have come."""
        self.start()
        self.stream.end()

    def put(self, piece: Piece) -> None:
        """Take what the block made of some rows, and pass on what is left of it."""
        require_balance(self.block_spec, piece)
        made = piece.made
        dropped = [name for name in self.block_spec.drop_columns if name in made.column_names]
        made = made.drop_columns(dropped) if dropped else made
        if self.block_spec.drop_duplicates:
            made = self._without_duplicates(made)
        self._rejections += piece.account.rejections
        self.statistics = self.statistics or piece.account.statistics
        self._last_row_at = time.perf_counter()
        if self.sink is not None:
            self.sink.add(made)
        self.books = self.books.after(piece, made)
        if self.next is not None and (made.num_rows or not self._showed_columns):
            self._showed_columns = True
            self.next.feed(made)

    def note(self, done: int, rejected: int) -> None:
        """Take note of rows that are as good as finished."""
        self._done += done
        self._rejected += rejected

    @property
    def rejects_too_many(self) -> bool:
        """Whether a run should stop, however many of the rows to come are good."""
        return self._rejected > self._tolerance.allowed(self._rows_at_most())

    def too_many_rejected(self) -> BlockError:
        """Return the error of a block that rejects too many rows."""
        return self._tolerance.exceeded(
            self.block_spec, self._rejections, self._rejected, self._rows_at_most()
        )

    def close(self) -> None:
        """Close the books and pass the end on."""
        self._rows_expected = 0  # now they are known
        if self.rejects_too_many:
            raise self.too_many_rejected()
        self.tell()
        self.entry = self.entry_so_far()
        _warn_if_emptied(self.entry)
        self._observer.block_finished(self.index, self.entry)
        if self.next is not None:
            self.next.end()

    def tell(self) -> None:
        """Tell the observer what happened since the last time."""
        usage = self.statistics.usage if self.statistics else Usage()
        now = (self._arrived, self._done // self._passes, self._rejected, usage)
        before, self._told = self._told, now
        if now == before:
            return
        spent = Usage(
            usage.requests - before[3].requests,
            usage.prompt_tokens - before[3].prompt_tokens,
            usage.completion_tokens - before[3].completion_tokens,
        )
        self._observer.block_progress(
            self.index,
            arrived=now[0] - before[0],
            done=now[1] - before[1],
            rejected=now[2] - before[2],
            usage=spent,
        )

    def entry_so_far(self) -> HistoryEntry:
        """Return the books of the rows whose fate is settled."""
        books = self.books
        return books.entry(
            self.block_spec,
            seconds=self._last_row_at - self._first_row_at,
            model=getattr(self.block, "model", None),
            rejections=self._rejections[: books.rejected],
            statistics=self.statistics,
        )

    def rejected_so_far(self) -> pa.Table:
        """Return the rejected rows of the books."""
        account = Account(rejections=self._rejections[: self.books.rejected])
        return account.rejected_table(self._schema)

    def start(self) -> None:
        """Tell the observer that the block begins, once."""
        if not self._is_started:
            self._is_started = True
            self._first_row_at = self._last_row_at = time.perf_counter()
            spec = self.block_spec
            self._observer.block_started(
                self.index, self._total, spec.name, spec.type, self._rows_known, self.statistics
            )

    def _without_duplicates(self, rows: pa.Table) -> pa.Table:
        if self._unique is None:
            from kfp_sdg.engine.duplicates import Deduplicator

            require_duplicate_columns(self.block_spec, self.block, rows.column_names)
            self._unique = Deduplicator(self.block_spec.drop_duplicates)
        return self._unique.firsts_of(rows)

    def _rows_at_most(self) -> int:
        """Return how many rows the block works on: those it knows of, or expects if they are more.

        Rows that have arrived count at least once each in the end.
        """
        return max(self._rows_expected, self._arrived, self.books.rows_in + self.books.added)


def _warn_if_emptied(entry: HistoryEntry) -> None:
    """Warn of a block that was given rows and left none."""
    if entry.rows_in and not entry.rows_out:
        reasons = ", ".join(f"{reason}: {n}" for reason, n in entry.rejected_by_reason.items())
        logger.warning(
            "block %r left no rows: of %d rows in and %d added, %d were filtered and %d rejected%s",
            entry.block,
            entry.rows_in,
            entry.added,
            entry.filtered,
            entry.rejected,
            f" ({reasons})" if reasons else "",
        )
