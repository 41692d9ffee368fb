"""``drop_duplicates``: of the rows that agree in some columns, keep the first.

Nulls agree with nulls, NaN with NaN, 0.0 with -0.0; lists and dicts agree when their contents do.
Arrow's own group-by is not used: it imports pandas, which every pod would pay for.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.columns import bools, row_numbers, scalar
from kfp_sdg.storage.types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DIGEST_BYTES = 16


class Deduplicator:
    """Keeps the first of all rows that agree, over any number of chunks.

    Rows of one chunk are compared by Arrow. Of earlier chunks only digests are kept, 16 bytes a
    row; the last chunk's are made when a further one comes, so that a dataset in one chunk needs
    none.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """Begin without rows.

        Args:
            columns: The columns in which rows agree; with none of them nothing is dropped.
        """
        self._columns = list(columns)
        self._seen: set[bytes] = set()
        self._last: list[pa.ChunkedArray] | None = None

    def firsts_of(self, table: pa.Table) -> pa.Table:
        """Return the rows of the next chunk that agree with none before them.

        Args:
            table: The chunk; has the columns.

        Returns:
            Its rows that are left, in their order, all columns kept.
        """
        if not self._columns or not table.num_rows:
            return table
        cells = [_comparable(table.column(name)) for name in self._columns]
        firsts = _are_first(cells, table.num_rows)
        if firsts is not None:
            table, cells = table.filter(firsts), [column.filter(firsts) for column in cells]
        if self._last is not None:
            self._seen.update(_digests(self._last))
        if self._seen:
            are_new = [digest not in self._seen for digest in _digests(cells)]
            if not all(are_new):
                mask = bools(are_new)
                table, cells = table.filter(mask), [column.filter(mask) for column in cells]
        self._last = cells
        return table


def drop_duplicates(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Keep the first of all rows that agree in the given columns.

    Args:
        table: The rows of the whole dataset.
        columns: Names of columns of the table; with none of them nothing is dropped.

    Returns:
        The rows that are left, in their order, all columns kept.
    """
    return Deduplicator(columns).firsts_of(table)


def _are_first(cells: Sequence[pa.ChunkedArray], rows: int) -> pa.Array | None:
    """Tell for each row whether it agrees with none before it; None where all do."""
    if rows == 1:
        return None
    codes, *others = map(_codes, cells)
    for other in others:  # codes are below the number of rows, so that products fit into 64 bits
        pairs = pc.add(pc.multiply(codes, scalar(rows)), other)
        codes = _codes(pa.chunked_array([pairs]))
    firsts = pc.index_in(pc.unique(codes), value_set=codes)
    if len(firsts) == rows:
        return None
    return pc.is_in(row_numbers(range(rows)).cast(firsts.type), value_set=firsts)


def _codes(column: pa.ChunkedArray) -> pa.Array:
    """Return a number for each cell, counted from 0, the same for equal cells."""
    encoded = column.dictionary_encode(null_encoding="encode")
    return pa.concat_arrays([chunk.indices for chunk in encoded.chunks]).cast(pa.int64())


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


def _digests(cells: Sequence[pa.ChunkedArray]) -> Iterator[bytes]:
    """Yield a digest for each row, equal where its cells are."""
    for row in zip(*map(_bytes, cells), strict=True):
        digest = blake2b(digest_size=DIGEST_BYTES)
        for cell in row:
            length = -1 if cell is None else len(cell)
            digest.update(length.to_bytes(8, "big", signed=True))
            digest.update(cell or b"")
        yield digest.digest()


def _bytes(column: pa.ChunkedArray) -> list[bytes | None]:
    """Return the cells as bytes, equal where the cells are; None for no value."""
    kind = column.type
    if pa.types.is_temporal(kind):  # as the number that it is: Python has no nanoseconds
        column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    return [_cell_bytes(cell) for cell in column.to_pylist()]


def _cell_bytes(cell: Any) -> bytes | None:
    if isinstance(cell, str):
        return cell.encode()
    return cell if cell is None or isinstance(cell, bytes) else repr(cell).encode()
