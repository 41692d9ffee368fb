"""The rows of a taxonomy's leaves go through their pipelines, with InstructLab's checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from instructlab.sdg._context import connected
from instructlab.sdg._failures import as_block_error, as_generate_exception
from instructlab.sdg._spec import as_run_spec
from instructlab.sdg._watch import RunLog
from instructlab.sdg.checkpointing import RunCheckpoint
from instructlab.sdg.utils.models import get_model_family
from kfp_sdg.instructlab.model import LeafKind

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from instructlab.sdg._context import PipelineContext
    from instructlab.sdg._spec import RunSpec
    from kfp_sdg.instructlab.generate import Generated, Stopped
    from kfp_sdg.instructlab.outcome import LeafOutcome
    from kfp_sdg.instructlab.pipeline_set import PipelineSet
    from kfp_sdg.instructlab.preprocess import Preprocessed

_JOURNAL = "taxonomy"
"""The journal of this workflow, beside those of pipelines that are run by themselves."""


@dataclass(frozen=True, slots=True)
class LeafData:
    """What there is of the leaves once they went through their pipelines.

    Attributes:
        leaves: The rows of each leaf by its name, those of an earlier run of InstructLab's last.
        generated: What came of this run.
    """

    leaves: Mapping[str, pa.Table]
    generated: Generated

    @property
    def empty(self) -> dict[str, str]:
        """Why there is nothing of some leaves, by their names."""
        from kfp_sdg.instructlab.outcome import leaf_outcomes

        outcomes = {outcome.leaf: outcome for outcome in leaf_outcomes(self.generated)}
        return {
            name: _why(outcomes.get(name))
            for name, rows in self.leaves.items()
            if not rows.num_rows
        }

    def write(self, folder: Path) -> list[Path]:
        """Write a file for each leaf that there is something of, and return the files."""
        from kfp_sdg.storage.json_lines import write_json_lines

        files = []
        for name, rows in self.leaves.items():
            if rows.num_rows:
                files.append(folder / f"{name}.jsonl")
                batches = rows.to_batches(max_chunksize=1_000)
                write_json_lines(files[-1], (row for batch in batches for row in batch.to_pylist()))
        return files


def generate(
    context: PipelineContext,
    rows: Preprocessed,
    pipelines: PipelineSet,
    folder: Path,
    logger: logging.Logger,
) -> LeafData:
    """Let the rows of all leaves through the pipelines of their kinds.

    Args:
        context: The run's settings.
        rows: The rows.
        pipelines: The pipelines.
        folder: Where what was finished is written, should the run stop.
        logger: Is told what came of each leaf.

    Raises:
        PipelineBlockError: A block cannot be set up or cannot do its work.
        GenerateException: Something else is wrong.
    """
    from kfp_sdg.instructlab.generate import generate_rows

    if context.model_family:
        get_model_family(context.model_family, None)
    with as_generate_exception():
        specs = _specs(pipelines.all_of(rows.kinds), context)
        missing, kept = _split(context, rows, specs)
    log = RunLog()

    def keep(stopped: Stopped) -> None:
        LeafData(_joined(stopped.finished, kept), stopped.finished).write(folder)

    with (
        as_block_error(specs.values(), log),
        connected(context, _journal(context.checkpoint_dir)) as run,
    ):
        generated = generate_rows(missing, specs, run, observer=log, on_stop=keep)
    made = generated.leaf_tables()
    for leaf in rows.leaves:
        if leaf.name in made:
            _checkpoint(context, leaf.name).write(made[leaf.name])
    data = LeafData(_joined(generated, kept), generated)
    why = data.empty
    for name, table in data.leaves.items():
        if name in why:
            logger.warning("Nothing was generated for leaf %s: %s", name, why[name])
        else:
            logger.info("Generated %d samples for leaf %s", table.num_rows, name)
    return data


def evaluate(context: PipelineContext, rows: Preprocessed) -> Generated:
    """Let the rows of knowledge through the pipeline that writes questions to test with.

    Raises:
        PipelineBlockError: A block cannot be set up or cannot do its work.
        GenerateException: Something else is wrong.
    """
    from kfp_sdg.engine import run
    from kfp_sdg.instructlab.generate import EVALUATION, Generated, rows_by_leaf
    from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline

    spec = as_run_spec(evaluation_pipeline(), context.max_num_tokens)
    log = RunLog()
    with as_block_error([spec], log):
        table = rows.table(LeafKind.KNOWLEDGE)
        if not table.num_rows:
            return Generated({}, {})
        with connected(context, _journal(context.checkpoint_dir)) as settings:
            made = run(spec, table, replace(settings, part=EVALUATION), observer=log)
    return Generated({LeafKind.KNOWLEDGE: rows_by_leaf(table)}, {}, made)


def check(
    context: PipelineContext,
    columns: Mapping[LeafKind, list[str]],
    pipelines: PipelineSet,
) -> None:
    """Find what cannot work before documents are fetched and anything is paid for.

    Args:
        context: The run's settings.
        columns: The columns of each kind's rows.
        pipelines: The pipelines.

    Raises:
        PipelineBlockError: A block cannot be set up, or the teacher cannot be used.
        GenerateException: A pipeline is missing.
    """
    from kfp_sdg.instructlab.generate import check_generation
    from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline

    if context.model_family:
        get_model_family(context.model_family, None)
    with as_generate_exception():
        specs = _specs(pipelines.all_of(columns), context)
    log = RunLog()
    with as_block_error(specs.values(), log), connected(context, None) as run:
        evaluation = as_run_spec(evaluation_pipeline(), context.max_num_tokens)
        check_generation(columns, specs, run, evaluation)


def _specs(
    pipelines: Mapping[LeafKind, object], context: PipelineContext
) -> dict[LeafKind, RunSpec]:
    return {
        kind: as_run_spec(spec, context.max_num_tokens)  # type: ignore[arg-type]
        for kind, spec in pipelines.items()
    }


def _split(
    context: PipelineContext, rows: Preprocessed, specs: Mapping[LeafKind, RunSpec]
) -> tuple[dict[LeafKind, pa.Table], dict[str, list[pa.Table]]]:
    """Return the rows that are to be worked on by kind, and what there is of the others by leaf."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from kfp_sdg.instructlab.rows import KIND, LEAF

    missing: dict[LeafKind, pa.Table] = {}
    kept: dict[str, list[pa.Table]] = {leaf.name: [] for leaf in rows.leaves}
    for kind in rows.kinds:
        parts = []
        table = rows.table(kind)
        for leaf in rows.leaves:
            of_leaf = table.filter(pc.equal(table[LEAF], leaf.name))
            checkpoint = _checkpoint(context, leaf.name)
            part, old = checkpoint.split(of_leaf, specs[kind], {KIND: kind.value})
            parts.append(part)
            if old is not None:
                kept[leaf.name].append(old)
        missing[kind] = pa.concat_tables(parts)
    return missing, kept


def _joined(generated: Generated, kept: Mapping[str, list[pa.Table]]) -> dict[str, pa.Table]:
    """Return the rows of each leaf, leaves sorted by name."""
    import pyarrow as pa

    made = generated.leaf_tables()
    joined = {}
    for name in sorted({*made, *kept}):
        tables = [*([made[name]] if name in made else []), *kept.get(name, [])]
        full = [table for table in tables if table.num_rows] or tables[:1]
        joined[name] = (
            pa.concat_tables(full, promote_options="permissive") if full else pa.table({})
        )
    return joined


def _checkpoint(context: PipelineContext, leaf: str) -> RunCheckpoint:
    checkpoint = RunCheckpoint.of(context.checkpoint_dir, leaf)
    return replace(checkpoint, journal=_journal(context.checkpoint_dir))


def _journal(checkpoint_dir: str | None) -> Path | None:
    return RunCheckpoint.of(checkpoint_dir, _JOURNAL).journal


def _why(outcome: LeafOutcome | None) -> str:
    """Return why nothing came of a leaf."""
    if outcome is None:
        return "it has no rows"
    return outcome.why or "no row was lost, none was made"
