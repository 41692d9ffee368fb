"""The traffic between the blocks of a run and their teachers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kfp_sdg.blocks.asking_stream import BATCH, AskingStream, Batch
from kfp_sdg.errors import BlockError, Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.asking import AskingBlock
    from kfp_sdg.blocks.streams import Inlet, Piece
    from kfp_sdg.teacher import RequestStatistics, TeacherPool
    from kfp_sdg.teacher.inquiry import Inquiry

logger = logging.getLogger(__name__)

GRACE = 25.0
"""Seconds that requests under way are given when the process is asked to end; Kubernetes gives a
pod 30 (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination)."""

BACKLOG = 2
"""The first block asks about further rows until so many times the choices are outstanding that the
teacher works on at once. So there is always one waiting when one is answered; and when the input
ends, enough is left to do that the last rows' way through all blocks leaves no places empty."""

MOST_OUTSTANDING = 4096
"""Choices of one model that are outstanding at most; rows beyond that wait as Arrow tables, which
take less memory than requests do. It keeps a burst of rows, as IterBlock makes it, small."""


class Exchange:
    """Asks for all streams of a run and hands them their answers. All in the caller's thread.

    Attributes:
        inquiry: The requests under way.
    """

    def __init__(self, teachers: TeacherPool) -> None:
        """Begin without streams; they add themselves.

        Args:
            teachers: Who is asked.
        """
        self._teachers = teachers
        self.inquiry: Inquiry[tuple[AskingStream, Batch, int]] = teachers.inquiry()
        self._streams: list[AskingStream] = []

    def add(self, stream: AskingStream) -> None:
        """Take in a stream; those that are nearer to the input come first."""
        self._streams.append(stream)

    def run(
        self,
        chunks: Iterator[pa.Table],
        into: Inlet,
        *,
        each_turn: Callable[[], None] = lambda: None,
    ) -> None:
        """Feed the input to its first stream, until everything has come out at the end.

        Args:
            chunks: The input, in chunks; the next one is taken when the teacher needs more to do.
            into: What to feed them to.
            each_turn: Called a few dozen times a second.

        Raises:
            TeacherError: The teacher cannot be used.
        """
        has_more = True
        while True:
            did_something = self._ask()
            if not did_something and has_more and self._needs_more():
                did_something = True
                chunk = next(chunks, None)
                if chunk is None:
                    has_more = False
                    into.end()
                else:
                    into.feed(chunk)
            if not has_more and self._is_done:
                return
            self._take_answers(wait=not did_something)
            each_turn()

    def give_up(self) -> None:
        """Put out all rows that are finished, also those behind an unanswered one; the last act."""
        for stream in self._streams:
            stream.put_finished(past_gaps=True)

    def __enter__(self) -> Exchange:
        """Return the exchange itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up what is under way, but what is kept for a run that goes on from here.

        Answers in the making are paid for. A run that is asked to end, or that ends because of its
        rows, waits for them if there is a journal to keep them in.
        """
        try:
            may_wait = isinstance(error, Terminated | BlockError)
            if may_wait and self._teachers.journal is not None and not self.inquiry.is_idle:
                logger.warning(
                    "stopping: what the teacher is writing now is waited for, up to %d seconds; "
                    "Ctrl-C or a second signal stops at once",
                    GRACE,
                )
                self._teachers.drain(GRACE)
        finally:
            self.inquiry.cancel()

    @property
    def _is_done(self) -> bool:
        return self.inquiry.is_idle and not any(s.has_backlog for s in self._streams)

    def _ask(self) -> bool:
        """Ask about one batch of rows, of the last block that has any; tell whether there was."""
        for stream in reversed(self._streams):
            if stream.has_backlog and self._has_room(stream.model):
                stream.ask()
                return True
        return False

    def _has_room(self, model: str) -> bool:
        most = max(MOST_OUTSTANDING, 2 * BACKLOG * self.inquiry.concurrency(model))
        return self.inquiry.outstanding(model) < most

    def _needs_more(self) -> bool:
        """Tell whether the first block should be given further rows."""
        first = self._streams[0].model
        if any(stream.has_backlog for stream in self._streams if stream.model == first):
            return False
        return self.inquiry.outstanding(first) < BACKLOG * self.inquiry.concurrency(first)

    def _take_answers(self, *, wait: bool) -> None:
        answered: dict[Any, None] = {}
        for (stream, batch, offset), result in self.inquiry.collect(wait=wait):
            stream.answer(batch, offset, result)
            answered[stream] = None
        for stream in answered:
            stream.put_finished()


class _Gathering:
    """Takes what comes out of a stream and puts it together."""

    def __init__(self, account: Account) -> None:
        self.tables: list[pa.Table] = []
        self._account = account

    def put(self, piece: Piece) -> None:
        self.tables.append(piece.made)
        self._account.added += piece.account.added
        self._account.rejections += piece.account.rejections

    def note(self, done: int, rejected: int) -> None:
        pass

    def close(self) -> None:
        pass


def ask_about(
    block: AskingBlock, table: pa.Table, account: Account, statistics: RequestStatistics
) -> pa.Table:
    """Let an asking block work on a whole table: ``AskingBlock.apply``.

    Args:
        block: The block, prepared.
        table: The input rows, one at least.
        account: The books.
        statistics: Counts what the requests take.

    Raises:
        TeacherError: The teacher cannot be used.
    """
    gathering = _Gathering(account)
    with Exchange(block.teachers) as exchange:
        stream = AskingStream(block, gathering, exchange, scope=block.scope, statistics=statistics)
        exchange.run(chunks_of(table, BATCH), stream)
    return pa.concat_tables(gathering.tables)


def chunks_of(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """Yield a table in chunks.

    Args:
        table: The rows.
        rows: How many a chunk has at most.
    """
    for start in range(0, table.num_rows, rows):
        yield table.slice(start, rows)
