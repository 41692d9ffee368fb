"""Find what cannot work, a missing column above all, before the first token is paid for.

What is found here is wrong with the pipeline, its input or the command line: the user's mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.blocks.base import columns_after
from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS
from kfp_sdg.engine.block import make_block
from kfp_sdg.errors import BlockError, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks import Block
    from kfp_sdg.spec import BlockSpec, PipelineSpec


def check_settings(spec: PipelineSpec) -> None:
    """Let the blocks look at their own settings, for what no schema can say.

    Custom blocks are left out: what their constructors need is known in a run only.

    Args:
        spec: The pipeline.

    Raises:
        SpecError: Blocks cannot be set up; holds a problem for each of them.
    """
    problems = []
    for block_spec in spec.blocks:
        kinds = {block_spec.type, block_spec.config.get("block_type", block_spec.type)}
        if kinds <= BUILTIN_BLOCKS.keys():
            try:
                make_block(block_spec, spec, PipelineContext())
            except BlockError as error:
                where = block_spec.source.at("config")
                problems.append(
                    Problem(error.message, where, block=block_spec.name, code="wrong-setting")
                )
    if problems:
        raise SpecError(problems)


def check_columns(
    spec: PipelineSpec, columns: Sequence[str], context: PipelineContext
) -> list[str] | None:
    """Walk a pipeline's columns from its input to its output, without doing any work.

    Args:
        spec: The pipeline.
        columns: The columns of its input.
        context: The run's settings.

    Returns:
        The columns of its output, or None where a block (a custom one) cannot know them.

    Raises:
        BlockError: A block needs a column that is not there or makes one that is, or cannot be
            set up.
    """
    blocks = [make_block(block, spec, context) for block in spec.blocks]
    return walk_columns(list(zip(spec.blocks, blocks, strict=True)), columns)


def prepare_blocks(
    spec: PipelineSpec, columns: Sequence[str], context: PipelineContext
) -> list[tuple[BlockSpec, Block]]:
    """Make a pipeline's blocks, follow its columns, and let each block check its teacher.

    Args:
        spec: The pipeline.
        columns: The columns of its input.
        context: The run's settings.

    Returns:
        Each block beside its entry, ready to work.

    Raises:
        BlockError: A block cannot be set up, lacks a column, or has no teacher; with the exit code
            of a mistake.
        TeacherError: A teacher cannot be used.
    """
    try:
        blocks = [(block_spec, make_block(block_spec, spec, context)) for block_spec in spec.blocks]
        walk_columns(blocks, columns)
        for _, block in blocks:
            block.prepare()
    except BlockError as error:
        error.exit_code = SpecError.exit_code
        raise
    return blocks


def walk_columns(
    blocks: Sequence[tuple[BlockSpec, Block]], columns: Sequence[str]
) -> list[str] | None:
    """Do what ``check_columns`` does for blocks that have been made already."""
    known: list[str] | None = list(columns)
    for block_spec, block in blocks:
        if known is None:
            return None
        known = columns_after(block, known)
        if known is not None:
            known = [name for name in known if name not in block_spec.drop_columns]
            require_duplicate_columns(block_spec, block, known)
    return known


def require_duplicate_columns(block_spec: BlockSpec, block: Block, columns: Sequence[str]) -> None:
    """Raise a ``BlockError`` unless all columns of ``drop_duplicates`` are there.

    Args:
        block_spec: The block's entry in the pipeline.
        block: The block.
        columns: The columns of its output, ``drop_columns`` gone.
    """
    missing = [name for name in block_spec.drop_duplicates if name not in columns]
    if not missing:
        return
    dropped = [name for name in missing if name in block_spec.drop_columns]
    hint = f"; {', '.join(map(repr, dropped))} is dropped by drop_columns before" if dropped else ""
    raise block.error(
        f"drop_duplicates names {', '.join(map(repr, missing))}, but the block's rows have "
        f"{', '.join(columns) or 'no columns'}{hint}"
    )
