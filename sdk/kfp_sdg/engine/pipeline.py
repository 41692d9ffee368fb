"""Run a whole pipeline in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.engine.columns import prepare_blocks
from kfp_sdg.engine.observer import Observer
from kfp_sdg.engine.outcome import RunResult
from kfp_sdg.engine.segment import Segment, cut
from kfp_sdg.engine.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from datasets import Dataset

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.storage import HistoryEntry


def run(
    spec: PipelineSpec,
    rows: pa.Table | Dataset,
    context: PipelineContext,
    *,
    earlier: Sequence[HistoryEntry] = (),
    observer: Observer | None = None,
) -> RunResult:
    """Run a pipeline over rows.

    All blocks are made, their columns are followed from the input to the output, and their teachers
    are checked before any block works. An empty input flows through and keeps its columns; a
    pipeline without blocks returns its input.

    Args:
        spec: The pipeline.
        rows: The input rows.
        context: The run's settings.
        earlier: What was done to the input rows before, to be kept with the results.
        observer: Who watches the run, and takes what was finished should it fail.

    Returns:
        The output rows, the rejected rows, and the books. No row left is not an error, but warned
        of.

    Raises:
        BlockError: A block cannot be set up or cannot work on its rows.
        TeacherError: The teacher cannot be used.
    """
    observer = observer or Observer()
    tolerance = Tolerance.read(context.max_rejected)
    result = RunResult(_as_table(rows), earlier=tuple(earlier))
    blocks = prepare_blocks(spec, result.rows.column_names, context)

    for part in cut(blocks):
        segment = Segment(
            part,
            result.rows,
            first=len(result.history) + 1,
            total=len(blocks),
            observer=observer,
            tolerance=tolerance,
        )
        try:
            rows_out = segment.run()
        except BaseException as error:
            observer.run_stopped(segment.stopped(result), segment.unfinished_block(error))
            raise
        result = result.after(rows_out, segment.entries(), segment.rejected())
    return result


def _as_table(rows: Any) -> pa.Table:
    """Return the rows as an Arrow table."""
    import pyarrow as pa

    if isinstance(rows, pa.Table):
        return rows
    from kfp_sdg.blocks.dataset import from_dataset

    return from_dataset(rows)
