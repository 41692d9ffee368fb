"""``drop_duplicates``: of the rows that agree in some columns, keep the first.

Arrow's own group-by is not used: it imports pandas, which every pod would pay for.
"""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.columns import scalar
from kfp_sdg.storage.types import is_text

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
    first, *others = (_codes(_comparable(table.column(column))) for column in columns)
    codes = first
    for other in others:  # codes are below the number of rows, so that products fit into 64 bits
        pairs = pc.add(pc.multiply(codes, scalar(table.num_rows)), other)
        codes = _codes(pa.chunked_array([pairs]))
    firsts = pc.index_in(pc.unique(codes), value_set=codes)
    if len(firsts) == table.num_rows:
        return table
    return table.filter(pc.is_in(_row_numbers(table.num_rows), value_set=firsts))


def _codes(column: pa.ChunkedArray) -> pa.Array:
    """Return a number for each cell, counted from 0, the same for equal cells."""
    encoded = column.dictionary_encode(null_encoding="encode")
    return pa.concat_arrays([chunk.indices for chunk in encoded.chunks]).cast(pa.int64())


def _row_numbers(rows: int) -> pa.Array:
    """Return 0, 1, 2, … made from their buffer, since ``pa.array`` imports pandas too."""
    numbers = pa.py_buffer(array("i", range(rows)))
    return pa.Array.from_buffers(pa.int32(), rows, [None, numbers])


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose cells Arrow can number, equal where the given ones are."""
    kind = column.type
    if pa.types.is_dictionary(kind):  # chunks may have different dictionaries
        return _comparable(column.cast(kind.value_type))
    if pa.types.is_null(kind) or is_text(kind):
        return column.cast(pa.large_string())
    if pa.types.is_nested(kind):
        return pa.chunked_array(
            [
                pa.array([_canonical(cell) for cell in chunk.to_pylist()], pa.large_string())
                for chunk in column.chunks
            ],
            pa.large_string(),
        )
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return pc.add(column, scalar(0.0).cast(kind))  # -0.0 becomes 0.0
    return column


def _canonical(cell: object) -> str | None:
    """Return one text for all equal lists or dicts, None for no value."""
    return None if cell is None else json.dumps(cell, sort_keys=True, default=repr)
