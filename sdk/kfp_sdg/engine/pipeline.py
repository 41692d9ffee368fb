"""Run a whole pipeline in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp_sdg.engine.block import BlockOutcome, tell_outcome, work
from kfp_sdg.engine.columns import prepare_blocks
from kfp_sdg.engine.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from datasets import Dataset

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.storage import HistoryEntry


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run.

    Attributes:
        rows: The rows that the last block put out.
        rejected: The rejected rows by the name of the block that rejected them, only where there
            are any.
        history: The books of every block, in order.
        earlier: What was done to the input rows before this run; they were a dataset of ours.
    """

    rows: pa.Table
    rejected: Mapping[str, pa.Table] = field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    earlier: tuple[HistoryEntry, ...] = ()

    def and_then(self, outcome: BlockOutcome) -> RunResult:
        """Return the result with a further block's outcome."""
        rejected = dict(self.rejected)
        if outcome.rejected.num_rows:
            rejected[outcome.entry.block] = outcome.rejected
        history = (*self.history, outcome.entry)
        return RunResult(outcome.rows, rejected, history, self.earlier)


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
    result = RunResult(_as_table(rows), earlier=tuple(earlier))
    blocks = prepare_blocks(spec, result.rows.column_names, context)

    for index, (block_spec, block) in enumerate(blocks, start=1):
        try:
            observer.block_started(
                index, len(blocks), block_spec.name, block_spec.type, result.rows.num_rows
            )
            outcome = work(block_spec, block, result.rows)
            result = result.and_then(outcome)
            tell_outcome(observer, index, outcome.entry)
        except BaseException:
            observer.run_stopped(result, block_spec.name)
            raise
    return result


def _as_table(rows: Any) -> pa.Table:
    """Return the rows as an Arrow table."""
    import pyarrow as pa

    if isinstance(rows, pa.Table):
        return rows
    from kfp_sdg.blocks.dataset import from_dataset

    return from_dataset(rows)
