"""The rows of all leaves go through the pipelines of their kinds.

All leaves of a kind are rows of one run, so that the teacher always has enough to do and no row
comes twice in the kind's data. Which leaf a row is of stands in its ``leaf_node_path``.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.engine import Observer, RunResult, note_place, prepare_blocks, run
from kfp_sdg.engine.columns import walk_columns
from kfp_sdg.errors import BlockError, SpecError, StorageError
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.rows import FEWEST_PAIR_COLUMNS, LEAF
from kfp_sdg.spec.scaling import SCALE_COLUMN
from kfp_sdg.storage.json_lines import write_json_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics, Usage

EVALUATION = "evaluation"
"""The part of a generation that asks questions to test with."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that go through one pipeline.

    Attributes:
        name: The kind of the rows; or ``EVALUATION``.
        spec: The pipeline.
        rows: The rows.
    """

    name: str
    spec: PipelineSpec
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of the rows of all leaves.

    Attributes:
        seeds: How many rows each leaf was generated from, by kind and by the leaf's name.
        results: What came of the rows of each kind.
        evaluation: What came of the knowledge rows in the evaluation's pipeline; None without one.
    """

    seeds: Mapping[LeafKind, Mapping[str, int]]
    results: Mapping[LeafKind, RunResult]
    evaluation: RunResult | None = None

    @property
    def leaves(self) -> tuple[str, ...]:
        """The names of the leaves that there were rows of, sorted."""
        return tuple(sorted({name for leaves in self.seeds.values() for name in leaves}))

    def rows_of_leaves(self) -> Counter[str]:
        """Return how many rows were generated for each leaf, by its name."""
        total: Counter[str] = Counter()
        for result in self.results.values():
            if LEAF in result.rows.column_names:
                total.update(rows_by_leaf(result.rows))
        return total

    def leaf_rows(self, name: str) -> pa.Table:
        """Return what was generated for a leaf.

        Args:
            name: The leaf's name.

        Returns:
            The rows of all its kinds, with the columns that InstructLab's have: not those that
            only helped on the way. A mixed leaf's rows have the columns of both kinds.
        """
        tables = [
            _as_instructlab(_of_leaf(self.results[kind].rows, name))
            for kind, leaves in self.seeds.items()
            if name in leaves and kind in self.results
        ]
        return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})

    def leaf_tables(self) -> dict[str, pa.Table]:
        """Return what was generated for each leaf, by its name."""
        return {name: self.leaf_rows(name) for name in self.leaves}

    def evaluation_tables(self) -> dict[str, pa.Table]:
        """Return the questions to test with for each knowledge leaf, by its name."""
        if self.evaluation is None:
            return {}
        rows = self.evaluation.rows
        return {
            name: _as_instructlab(_of_leaf(rows, name))
            for name in sorted(self.seeds.get(LeafKind.KNOWLEDGE, {}))
        }


@dataclass(frozen=True, slots=True)
class Stopped:
    """What there is of a generation that stopped.

    Attributes:
        finished: What came of the parts that were finished.
        part: The name of the part that was at work; None if none was.
        partial: What was finished of that.
    """

    finished: Generated
    part: str | None
    partial: RunResult | None


def generate_rows(
    tables: Mapping[LeafKind, pa.Table],
    pipelines: Mapping[LeafKind, PipelineSpec],
    context: PipelineContext,
    *,
    evaluation: PipelineSpec | None = None,
    observer: Observer | None = None,
    on_part: Callable[[Part], None] = lambda part: None,
    on_stop: Callable[[Stopped], None] = lambda stopped: None,
) -> Generated:
    """Let the rows of all leaves through the pipelines of their kinds, one kind after the other.

    Everything that can be checked without a token (columns, models) is checked for all kinds
    before the first one begins.

    Args:
        tables: The rows of each kind, see ``Preprocessed.table``; a kind without rows is left out.
        pipelines: The pipeline of each kind that has rows.
        context: The run's settings.
        evaluation: The pipeline that writes questions to test with about the knowledge rows; None
            for no evaluation.
        observer: Who watches. The blocks of all pipelines count as those of one.
        on_part: Told before the rows of a kind begin.
        on_stop: Given what was finished when the run stops, before its error goes on.

    Raises:
        BlockError: A block cannot be set up or cannot work on its rows, or a pipeline loses the
            column that tells leaves apart.
        TeacherError: The teacher cannot be used.
    """
    parts = list(_parts(tables, pipelines, evaluation))
    columns = {kind: tables[kind].column_names for kind in LeafKind if _has_rows(tables, kind)}
    check_generation(columns, pipelines, context, evaluation)
    seeds = {kind: rows_by_leaf(tables[kind]) for kind in LeafKind if _has_rows(tables, kind)}
    watching = _Parts(observer or Observer(), sum(len(part.spec.blocks) for part in parts))
    results: dict[str, RunResult] = {}
    try:
        for part in parts:
            on_part(part)
            with _place_noted(part.spec):
                result = run(
                    part.spec, part.rows, _own(context, part.name), observer=watching.next(part)
                )
                _require_leaves(part, result)
            results[part.name] = result
    except BaseException:
        at = parts[len(results)].name if watching.stopped else None
        on_stop(Stopped(_generated(seeds, results), at, watching.stopped))
        raise
    return _generated(seeds, results)


def check_generation(
    columns: Mapping[LeafKind, Sequence[str]],
    pipelines: Mapping[LeafKind, PipelineSpec],
    context: PipelineContext,
    evaluation: PipelineSpec | None = None,
) -> None:
    """Find what cannot work before anything is paid for, or even before there are rows.

    Args:
        columns: The columns of each kind's rows.
        pipelines: The pipeline of each kind.
        context: The run's settings.
        evaluation: The pipeline that writes questions to test with; None for no evaluation.

    Raises:
        BlockError: See ``generate_rows``; with the exit code of the user's mistakes.
        TeacherError: A teacher cannot be used.
    """
    for kind in LeafKind:
        if kind in columns:
            _check(pipelines[kind], columns[kind], _own(context, kind.value))
    if evaluation is not None and LeafKind.KNOWLEDGE in columns:
        _check(evaluation, columns[LeafKind.KNOWLEDGE], _own(context, EVALUATION))


def write_generated(generated: Generated, folder: str | os.PathLike[str]) -> list[Path]:
    """Write a file ``<leaf>.jsonl`` for each leaf, empty for one of which nothing came.

    Args:
        generated: What was generated.
        folder: The folder; files of an earlier run in it are replaced.

    Returns:
        The files, in the order of the leaves.

    Raises:
        StorageError: The disk refuses.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.jsonl"):
            old.unlink()
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error
    files = []
    for name in generated.leaves:
        files.append(folder / f"{name}.jsonl")
        batches = generated.leaf_rows(name).to_batches(max_chunksize=1_000)
        write_json_lines(files[-1], (row for batch in batches for row in batch.to_pylist()))
    return files


class _Parts(Observer):
    """Tells of several runs as of one. Keeps what was finished when one of them stops."""

    def __init__(self, observer: Observer, total: int) -> None:
        self.stopped: RunResult | None = None
        self._observer = observer
        self._total = total
        self._offset = self._blocks = 0

    def next(self, part: Part) -> Observer:
        """Go on to the next run."""
        self._offset += self._blocks
        self._blocks = len(part.spec.blocks)
        return self

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        """Tell of a block by its place among those of all runs."""
        self._observer.block_started(
            self._offset + index, self._total, name, block_type, rows_in, statistics
        )

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        """Pass on what a block did."""
        self._observer.block_progress(
            self._offset + index, arrived=arrived, done=done, rejected=rejected, usage=usage
        )

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        """Pass on a block's books."""
        self._observer.block_finished(self._offset + index, entry)

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        """Keep what was finished."""
        self.stopped = partial
        self._observer.run_stopped(partial, block_name)


def _parts(
    tables: Mapping[LeafKind, pa.Table],
    pipelines: Mapping[LeafKind, PipelineSpec],
    evaluation: PipelineSpec | None,
) -> Iterator[Part]:
    """Yield what is to be run."""
    for kind in LeafKind:
        if _has_rows(tables, kind):
            yield Part(kind.value, pipelines[kind], tables[kind])
    if evaluation is not None and _has_rows(tables, LeafKind.KNOWLEDGE):
        yield Part(EVALUATION, evaluation, tables[LeafKind.KNOWLEDGE])


def _has_rows(tables: Mapping[LeafKind, pa.Table], kind: LeafKind) -> bool:
    return kind in tables and tables[kind].num_rows > 0


def _own(context: PipelineContext, part: str) -> PipelineContext:
    return replace(context, part=part)


def _check(spec: PipelineSpec, columns: Sequence[str], context: PipelineContext) -> None:
    """Check one pipeline, and that it keeps the column that tells leaves apart."""
    with _place_noted(spec):
        for block_spec, block in prepare_blocks(spec, columns, context):
            after = walk_columns([(block_spec, block)], columns)
            if after is None:  # a custom block; _require_leaves looks at what comes out
                return
            columns = after
            if LEAF not in columns:
                error = _lost(block_spec.name, block_spec.type)
                error.exit_code = SpecError.exit_code
                raise error


@contextmanager
def _place_noted(spec: PipelineSpec) -> Iterator[None]:
    """Let the error of a block say where the block stands: two pipelines may have its name."""
    try:
        yield
    except BlockError as error:
        note_place(error, spec)
        raise


def _require_leaves(part: Part, result: RunResult) -> None:
    """Refuse rows that do not say which leaf they are of."""
    if result.rows.num_rows and LEAF not in result.rows.column_names:
        at = next((entry for entry in result.history if not entry.groups), result.history[-1])
        raise _lost(at.block, at.type)


def _lost(block_name: str, block_type: str) -> BlockError:
    return BlockError(
        f"its rows have no column {LEAF!r}, so nobody can tell which leaf they are of; the rows "
        "that go through the pipeline of a taxonomy have to keep it",
        block_name=block_name,
        block_type=block_type,
    )


def _generated(
    seeds: Mapping[LeafKind, Mapping[str, int]], results: Mapping[str, RunResult]
) -> Generated:
    kinds = {kind: results[kind] for kind in LeafKind if kind in results}
    return Generated(seeds, kinds, results.get(EVALUATION))


def rows_by_leaf(rows: pa.Table) -> dict[str, int]:
    """Return how many rows there are of each leaf, leaves sorted by name."""
    counts = pc.value_counts(rows[LEAF])
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    return dict(sorted(pairs))


def _of_leaf(rows: pa.Table, name: str) -> pa.Table:
    if LEAF not in rows.column_names:
        return rows.slice(0, 0)
    return rows.filter(pc.equal(rows[LEAF], name))


def _as_instructlab(rows: pa.Table) -> pa.Table:
    """Return rows without the columns that only helped on the way."""
    names = rows.column_names
    helpers = [name for name in names if name == SCALE_COLUMN or _is_spare_pair(name, rows)]
    return rows.drop_columns(helpers)


def _is_spare_pair(name: str, rows: pa.Table) -> bool:
    """Tell whether a column is for pairs that other leaves have and this one has not."""
    stem, _, number = name.rpartition("_")
    is_pair = stem in ("icl_query", "icl_response") and number.isdecimal()
    if not is_pair or int(number) <= FEWEST_PAIR_COLUMNS:
        return False
    return bool(rows[name].null_count == rows.num_rows)
