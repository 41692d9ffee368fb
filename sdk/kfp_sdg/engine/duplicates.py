"""``drop_duplicates``: of the rows that agree in some columns, keep the first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence


def drop_duplicates(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Keep the first of all rows that agree in the given columns.

    Nulls agree with nulls, NaN with NaN, 0.0 with -0.0; lists and dicts agree when their contents
    do.

    Args:
        table: The rows of the whole dataset.
        columns: Names of columns of the table; with none of them nothing is dropped.

    Returns:
        The rows that are left, in their order, all columns kept.
    """
    if not columns or not table.num_rows:
        return table
    names = [f"key{n}" for n in range(len(columns))]
    keys = [_comparable(table.column(column)) for column in columns]
    index = pa.array(range(table.num_rows), pa.int64())
    firsts = (
        pa.table([*keys, index], names=[*names, "index"])
        .group_by(names)
        .aggregate([("index", "min")])
        .column("index_min")
    )
    if len(firsts) == table.num_rows:
        return table
    return table.filter(pc.is_in(index, value_set=firsts.combine_chunks()))


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column that Arrow's group-by can compare, equal where the given one is."""
    if pa.types.is_dictionary(column.type):  # chunks may have different dictionaries
        return column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return pa.chunked_array(
            [
                pa.array([_canonical(cell) for cell in chunk.to_pylist()], pa.large_string())
                for chunk in column.chunks
            ],
            pa.large_string(),
        )
    if pa.types.is_float32(column.type) or pa.types.is_float64(column.type):
        return pc.add(column, pa.scalar(0.0, column.type))  # -0.0 becomes 0.0
    return column


def _canonical(cell: object) -> str | None:
    """Return one text for all equal lists or dicts, None for no value."""
    return None if cell is None else json.dumps(cell, sort_keys=True, default=repr)
