"""Rows that choose among named things: those that choose nothing known are rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.columns import plain, scalar, text_array
from kfp_sdg.storage.types import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.base import Block


def choice_text(value: object) -> str | None:
    """Return the text that one cell chooses by: what ``split_by_choice`` makes of a whole column.

    True is "true" and 1.0 is "1", as Arrow writes them; null chooses nothing.
    """
    if isinstance(value, (bool, float)):
        return str(scalar(value).cast(pa.string()))
    return None if value is None else str(value)


def split_by_choice(
    block: Block, table: pa.Table, column: str, choices: Sequence[str], account: Account
) -> tuple[pa.Table, pa.ChunkedArray]:
    """Keep the rows whose choice is known; reject the others with reason "choice".

    Args:
        block: The block that asks, for its errors.
        table: The rows.
        column: The column that holds the choices; numbers and bools are compared as text.
        choices: What may be chosen, each once.
        account: Takes the rejected rows.

    Returns:
        The kept rows, and for each its index in ``choices`` (int32).

    Raises:
        BlockError: The column holds lists or objects.
    """
    cells = table[column]
    if pa.types.is_nested(cells.type):
        raise block.error(
            f"column {column!r} holds {describe(cells.type)} cells, which cannot name a choice"
        )
    found = pc.index_in(plain(cells).cast(pa.string()), value_set=text_array(choices))
    known = found.is_valid()
    for row in table.filter(pc.invert(known)).to_pylist():
        account.reject(
            row,
            "choice",
            f"{column} is {row[column]!r}, which is none of: {', '.join(choices) or 'nothing'}",
        )
    return table.filter(known), found.filter(known)
