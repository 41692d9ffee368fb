"""Answers beside the rows they are about: Arrow columns from what was read in the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kfp_sdg.blocks.columns import put_column, row_numbers, text_array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.blocks.asking import RowResult

SLICE = 4096
"""Output rows that are put together at once; taking more of them from one text column could
overflow Arrow's 2 GiB limit."""


def beside(
    inputs: pa.Table, results: Sequence[RowResult], columns: Mapping[str, pa.DataType]
) -> pa.Table:
    """Return the output rows of an asking block.

    Args:
        inputs: The input rows.
        results: What became of each of them.
        columns: The types of the columns that the answers are read into.

    Returns:
        A row for each one that was read, with the input row it is about.
    """
    if all(len(result.rows) == 1 for result in results):
        return _with_values(inputs, [result.rows[0] for result in results], columns)
    made = [(index, row) for index, result in enumerate(results) for row in result.rows]
    parts = []
    for start in range(0, max(len(made), 1), SLICE):
        some = made[start : start + SLICE]
        taken = inputs.take(row_numbers([index for index, _ in some]))
        parts.append(_with_values(taken, [row for _, row in some], columns))
    return pa.concat_tables(parts)


def _with_values(
    table: pa.Table, values: Sequence[Mapping[str, Any]], columns: Mapping[str, pa.DataType]
) -> pa.Table:
    for name, kind in columns.items():
        table = put_column(table, name, _column([row[name] for row in values], kind))
    return table


def _column(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return an Arrow column, without importing pandas where it is text."""
    if pa.types.is_string(kind) and None not in cells:
        return text_array(cells)
    return pa.array(cells, kind)
