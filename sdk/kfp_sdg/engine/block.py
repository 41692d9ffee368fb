"""One block of a pipeline: make it, and run it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.blocks import Block
from kfp_sdg.engine.observer import Observer
from kfp_sdg.engine.outcome import BlockOutcome
from kfp_sdg.engine.tolerance import Tolerance
from kfp_sdg.errors import BlockError, SdgError

if TYPE_CHECKING:
    import pyarrow as pa

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.spec import BlockSpec, PipelineSpec


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
    from kfp_sdg.engine.segment import Segment

    block = make_block(block_spec, pipe, context)
    walk_columns([(block_spec, block)], rows.column_names)
    tolerance = Tolerance.read(context.max_rejected)
    block.prepare()
    segment = Segment(
        [(block_spec, block)],
        rows,
        first=1,
        total=1,
        observer=observer or Observer(),
        tolerance=tolerance,
    )
    made = segment.run()
    [entry] = segment.entries()
    return BlockOutcome(made, segment.rejected()[block_spec.name], entry)


def note_place(error: BaseException, spec: PipelineSpec) -> None:
    """Add to a block's error where the block stands in the pipeline's file.

    Args:
        error: Any error; only those of blocks are changed.
        spec: The pipeline.
    """
    name = error.block_name if isinstance(error, BlockError) else None
    for block in spec.blocks:
        if block.name == name and block.source.root.line:
            error.add_note(f"The block is at {block.source.root}.")


def _named(block_spec: BlockSpec, message: str) -> BlockError:
    """Return a ``BlockError`` that names a block by its entry in the pipeline."""
    return BlockError(message, block_name=block_spec.name, block_type=block_spec.type)


def _describe(error: Exception) -> str:
    """Return an exception's type and text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
