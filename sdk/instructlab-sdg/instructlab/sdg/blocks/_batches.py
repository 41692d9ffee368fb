"""Blocks that were written for batches are given batches.

InstructLab lets a block work on ``batch_size`` rows at a time, several batches side by side, each
with a block object of its own. A block of the user's own may count on that: it may send all rows
that it is given in one request.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.blocks import Block

Kind = TypeVar("Kind", bound="Block")
Made = TypeVar("Made")


def in_batches(block: Kind, count: int, work: Callable[[Kind, range], Made]) -> list[Made]:
    """Let a block work on its rows in batches.

    Args:
        block: The block. Where there are several batches, copies of it do the work.
        count: How many rows there are.
        work: Given a block and the places of the rows of a batch, makes something of them.

    Returns:
        What was made of each batch, in the order of the rows. No rows are one batch.
    """
    ctx: Any = block.ctx  # InstructLab's, or kfp-sdg's, which has no batches
    size = ctx.batch_size if getattr(ctx, "batching_enabled", False) else count
    if count <= size:
        return [work(block, range(count))]
    batches = [range(start, min(start + size, count)) for start in range(0, count, size)]
    with ThreadPoolExecutor(ctx.batch_num_workers) as threads:
        under_way = [threads.submit(work, copy.copy(block), batch) for batch in batches]
        return [batch.result() for batch in under_way]
