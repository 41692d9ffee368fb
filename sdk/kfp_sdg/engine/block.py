"""Run one block over its rows: set it up, let it work, drop columns and duplicates, keep books."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.blocks import Account, Block
from kfp_sdg.blocks.base import apply_block
from kfp_sdg.engine.observer import Observer
from kfp_sdg.errors import BlockError, SdgError
from kfp_sdg.storage import HistoryEntry
from kfp_sdg.teacher import RequestStatistics, Usage

if TYPE_CHECKING:
    import pyarrow as pa

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.spec import BlockSpec, PipelineSpec


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """What came of one block.

    Attributes:
        rows: The output rows.
        rejected: The rejected rows: the input's columns and ``REJECTED_COLUMNS``; often empty.
        entry: The block's books.
    """

    rows: pa.Table
    rejected: pa.Table
    entry: HistoryEntry


def make_block(block_spec: BlockSpec, pipe: PipelineSpec, context: PipelineContext) -> Block:
    """Make a block from its entry in a pipeline.

    Args:
        block_spec: The entry.
        pipe: The pipeline, which holds the files that the block refers to.
        context: The run's settings.

    Raises:
        BlockError: There is no such block type, or it cannot work with these settings.
    """
    from kfp_sdg.blocks import catalog

    try:
        made = catalog.make_block(
            context, pipe, block_spec.name, block_spec.type, block_spec.config
        )
    except SdgError:
        raise
    except Exception as error:
        raise _named(block_spec, f"cannot be set up: {_describe(error)}") from error
    if not isinstance(made, Block):
        raise _named(
            block_spec,
            "its class is not a subclass of kfp_sdg.blocks.Block, as every block must be",
        )
    return made


def run_block(
    block_spec: BlockSpec,
    pipe: PipelineSpec,
    rows: pa.Table,
    context: PipelineContext,
    *,
    observer: Observer | None = None,
) -> BlockOutcome:
    """Run one block of a pipeline over rows.

    Args:
        block_spec: The block's entry in the pipeline.
        pipe: The pipeline it is part of.
        rows: The input rows.
        context: The run's settings.
        observer: Who watches, as a run of this one block.

    Returns:
        The output rows, the rejected rows, and books for which
        ``rows_in + added == rows_out + filtered + duplicates + rejected``.

    Raises:
        BlockError: The block cannot be set up or cannot work on these rows, or its books do not
            add up.
        TeacherError: The teacher cannot be used.
    """
    from kfp_sdg.engine.columns import walk_columns

    block = make_block(block_spec, pipe, context)
    walk_columns([(block_spec, block)], rows.column_names)
    block.prepare()
    observer = observer or Observer()
    observer.block_started(1, 1, block_spec.name, block_spec.type, rows.num_rows)
    outcome = work(block_spec, block, rows)
    tell_outcome(observer, 1, outcome.entry)
    return outcome


def tell_outcome(observer: Observer, index: int, entry: HistoryEntry) -> None:
    """Tell the observer of a block that did all of its work."""
    usage = Usage(entry.requests, entry.prompt_tokens, entry.completion_tokens)
    observer.block_progress(
        index, arrived=entry.rows_in, done=entry.rows_in, rejected=entry.rejected, usage=usage
    )
    observer.block_finished(index, entry)


def work(block_spec: BlockSpec, block: Block, rows: pa.Table) -> BlockOutcome:
    """Do what ``run_block`` does for a block that has been made and checked already."""
    from kfp_sdg.engine.columns import require_duplicate_columns

    account = Account()
    started = time.perf_counter()
    made = _apply(block_spec, block, rows, account)
    _settle(block_spec, rows.num_rows, made.num_rows, account)

    dropped = [name for name in block_spec.drop_columns if name in made.column_names]
    result = made.drop_columns(dropped) if dropped else made
    if block_spec.drop_duplicates:
        from kfp_sdg.engine.duplicates import drop_duplicates

        require_duplicate_columns(block_spec, block, result.column_names)
        result = drop_duplicates(result, block_spec.drop_duplicates)

    statistics = account.statistics or RequestStatistics()
    usage = statistics.usage
    entry = HistoryEntry(
        block=block_spec.name,
        type=block_spec.type,
        rows_in=rows.num_rows,
        rows_out=result.num_rows,
        added=account.added,
        filtered=account.filtered,
        duplicates=made.num_rows - result.num_rows,
        rejected=len(account.rejections),
        rejected_by_reason=account.rejected_by_reason,
        requests=usage.requests,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        retries=statistics.retries.total(),
        retries_by_cause=dict(statistics.retries),
        journal_hits=statistics.journal_hits,
        wait_seconds=statistics.waited,
        latency_p50=statistics.latency(0.5),
        latency_p95=statistics.latency(0.95),
        latency_p99=statistics.latency(0.99),
        seconds=time.perf_counter() - started,
        model=getattr(block, "model", None) if account.statistics else None,
    )
    _warn_if_emptied(entry)
    return BlockOutcome(result, account.rejected_table(rows.schema), entry)


def _apply(block_spec: BlockSpec, block: Block, rows: pa.Table, account: Account) -> pa.Table:
    """Let the block work; whatever goes wrong inside of it names the block."""
    import pyarrow as pa

    try:
        made = apply_block(block, rows, account)
    except SdgError:
        raise
    except Exception as error:
        raise _named(block_spec, f"failed: {_describe(error)}") from error
    if not isinstance(made, pa.Table):
        raise _named(block_spec, f"returned {type(made).__name__} where rows were expected")
    twice = sorted({name for name in made.column_names if made.column_names.count(name) > 1})
    if twice:
        raise _named(block_spec, f"made more than one column named {', '.join(map(repr, twice))}")
    return made


def _settle(block_spec: BlockSpec, rows_in: int, rows_made: int, account: Account) -> None:
    """See to it that the books of a block's own work add up."""
    rejected = len(account.rejections)
    if rows_in + account.added != rows_made + account.filtered + rejected:
        raise _named(
            block_spec,
            f"its books do not add up: {rows_in} rows in + {account.added} added is not "
            f"{rows_made} rows out + {account.filtered} filtered + {rejected} rejected. This is "
            "a defect of the block: apply() has to note in its account every row that it adds, "
            "filters or rejects",
        )


def _named(block_spec: BlockSpec, message: str) -> BlockError:
    """Return a ``BlockError`` that names a block by its entry in the pipeline."""
    return BlockError(message, block_name=block_spec.name, block_type=block_spec.type)


def _describe(error: Exception) -> str:
    """Return an exception's type and text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


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
