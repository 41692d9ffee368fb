"""Blocks that rows stream through, from one that needs the whole dataset to the next."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from kfp_sdg.engine.sink import Sink
from kfp_sdg.engine.stage import Stage
from kfp_sdg.engine.streams import (
    ColumnStream,
    can_stream,
    choices_per_row,
    is_column_block,
    open_asking,
)
from kfp_sdg.spec.scaling import SCALE_COLUMN
from kfp_sdg.teacher import RequestStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.blocks import Block
    from kfp_sdg.blocks.exchange import Exchange
    from kfp_sdg.blocks.streams import Stream
    from kfp_sdg.engine.observer import Observer
    from kfp_sdg.engine.outcome import RunResult
    from kfp_sdg.engine.tolerance import Tolerance
    from kfp_sdg.spec import BlockSpec
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import TeacherPool

SECONDS_BETWEEN_TELLS = 0.1
"""The observer is not told more often than people can see."""


class Segment:
    """Some blocks of a run, through which rows stream.

    Attributes:
        stages: Its blocks.
    """

    def __init__(
        self,
        blocks: Sequence[tuple[BlockSpec, Block]],
        rows: pa.Table,
        *,
        first: int,
        total: int,
        observer: Observer,
        tolerance: Tolerance,
    ) -> None:
        """Set the blocks up.

        Args:
            blocks: The blocks, prepared, with their entries; one, or the streaming ones of ``cut``.
            rows: The input.
            first: The first block's place in the pipeline, counted from 1.
            total: How many blocks the pipeline has.
            observer: Who is told.
            tolerance: How many rows a block may reject.
        """
        self._rows = rows
        self._sink = Sink()
        self.stages: list[Stage] = []
        expected = rows.num_rows
        self._scale = _mean_scale(rows)
        for place, (block_spec, block) in enumerate(blocks):
            asks = can_stream(block)
            expected *= choices_per_row(block, self._scale)
            stage = Stage(
                first + place,
                total,
                block_spec,
                block,
                observer=observer,
                tolerance=tolerance,
                rows_known=None if place else rows.num_rows,
                rows_expected=expected,
                statistics=RequestStatistics() if asks else None,
            )
            if self.stages:
                self.stages[-1].next = stage
            self.stages.append(stage)
        self.stages[-1].sink = self._sink
        self._told_at = 0.0

    def run(self) -> pa.Table:
        """Let all rows through.

        Returns:
            The rows that came out of the last block.

        Raises:
            BlockError: A block cannot work on its rows, its books do not add up, or it rejects
                too many.
            TeacherError: The teacher cannot be used.
        """
        if can_stream(self.stages[0].block):
            self._stream()
        else:
            [stage] = self.stages
            stage.stream = ColumnStream(stage.block_spec, stage.block, stage)
            stage.start()
            stage.feed(self._rows)
            stage.end()
        return self._sink.rows(self.stages[-1].books.rows_out)

    def entries(self) -> list[HistoryEntry]:
        """Return the books of the blocks, of those rows whose fate is settled."""
        return [stage.entry or stage.entry_so_far() for stage in self.stages]

    def rejected(self) -> dict[str, pa.Table]:
        """Return the rows that each block rejected, by its name."""
        return {stage.block_spec.name: stage.rejected_so_far() for stage in self.stages}

    def stopped(self, before: RunResult) -> RunResult:
        """Return what was finished when the run stopped.

        Args:
            before: What came of the blocks before these.

        Returns:
            The rows that came through all of these blocks; where there are none, the rows that
            they started from.
        """
        entries, rejected = self.entries(), self.rejected()
        count = entries[-1].rows_out
        if count:
            return before.after(self._sink.rows(count), entries, rejected)
        return before.during(entries, rejected)

    def unfinished_block(self, error: BaseException) -> str:
        """Return the name of the block that stopped the run, or that was at work when it stopped.

        Args:
            error: What stopped it.
        """
        names = [stage.block_spec.name for stage in self.stages if stage.entry is None]
        names = names or [self.stages[-1].block_spec.name]
        named = getattr(error, "block_name", None)
        return named if named in names else names[0]

    def _stream(self) -> None:
        from kfp_sdg.blocks.asking_stream import BATCH
        from kfp_sdg.blocks.exchange import Exchange, chunks_of

        first = self.stages[0]
        with Exchange(_teachers_of(first.block)) as exchange:
            for stage in self.stages:
                stage.stream = _open(stage, exchange)
            first.feed(self._rows.slice(0, 0))
            rows = max(1, BATCH // choices_per_row(first.block, self._scale))
            exchange.run(chunks_of(self._rows, rows), first, each_turn=lambda: self._look(exchange))

    def _look(self, exchange: Exchange) -> None:
        """Look after the blocks at work."""
        for stage in self.stages:
            if stage.rejects_too_many:
                exchange.give_up()
                raise stage.too_many_rejected()
        now = time.monotonic()
        if now - self._told_at >= SECONDS_BETWEEN_TELLS:
            self._told_at = now
            for stage in self.stages:
                stage.tell()


def cut(blocks: Sequence[tuple[BlockSpec, Block]]) -> list[list[tuple[BlockSpec, Block]]]:
    """Cut a pipeline into segments.

    A segment begins with a block that asks a teacher and takes in what rows may stream through
    after it. Every other block is a segment of its own, given all rows in one chunk: a block that
    needs the whole dataset, a custom one, or a column block before the first request, which is
    quicker that way.

    Args:
        blocks: The blocks, prepared, with their entries.
    """
    segments: list[list[tuple[BlockSpec, Block]]] = []
    is_streaming = False
    for block_spec, block in blocks:
        asks = can_stream(block)
        if is_streaming and (asks or is_column_block(block)):
            segments[-1].append((block_spec, block))
        else:
            segments.append([(block_spec, block)])
            is_streaming = asks
    return segments


def _teachers_of(block: Block) -> TeacherPool:
    """Return the run's teachers; without any, a block that asks could not be prepared."""
    teachers = block.ctx.teachers
    if teachers is None:
        raise block.error("it asks a model, but the run names no teacher")
    return teachers


def _mean_scale(rows: pa.Table) -> int | None:
    """Return the mean of the scale factors that rows have themselves, rounded up.

    Returns:
        None where they have none, or where one of them is no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    index = rows.schema.get_field_index(SCALE_COLUMN)
    if index < 0 or not pa.types.is_integer(rows.schema.field(index).type):
        return None
    mean = pc.mean(rows.column(index)).as_py()
    return None if mean is None else max(1, math.ceil(mean))


def _open(stage: Stage, exchange: Exchange) -> Stream:
    """Begin a block's stream."""
    if stage.statistics is None:
        return ColumnStream(stage.block_spec, stage.block, stage)
    scope = stage.block.ctx.scope(stage.block.block_name)
    return open_asking(stage.block, stage, exchange, scope=scope, statistics=stage.statistics)
