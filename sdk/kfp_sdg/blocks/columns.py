"""What the column blocks share: text forms, common types, and putting a column in its place."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow as pa

from kfp_sdg.storage.types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def put_column(table: pa.Table, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    """Return the table with a column replaced where it stands, or appended if it is new."""
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)


def with_column(columns: Iterable[str], name: str) -> list[str]:
    """Return the column names that ``put_column`` leaves."""
    return list(dict.fromkeys([*columns, name]))


def plain_type(data_type: pa.DataType) -> pa.DataType:
    """Return the type without its encoding: dictionaries, large and view text become plain."""
    if pa.types.is_dictionary(data_type):
        return plain_type(data_type.value_type)
    if is_text(data_type):
        return pa.string()
    return data_type


def is_number(data_type: pa.DataType) -> bool:
    """Tell whether cells of this type are integers or floating-point numbers."""
    return bool(pa.types.is_integer(data_type) or pa.types.is_floating(data_type))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column with its encoding undone, so that every kernel takes it."""
    return as_type(column, plain_type(column.type))


def as_type(column: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    """Return the column as another type, one that ``common_type`` found for it.

    Integers become the nearest floats; Arrow would refuse those beyond 2**53.
    """
    if column.type == data_type:
        return column
    return column.cast(data_type, safe=not pa.types.is_floating(data_type))


def common_type(types: Iterable[pa.DataType]) -> pa.DataType | None:
    """Return a type that can hold the cells of all these types.

    Equal types stay; integers and floats meet in float64; other scalars meet in text. Columns of
    nothing but nulls (type null) fit everything.

    Returns:
        The type, or None where nested types differ, which no type can hold.
    """
    found = [t for t in dict.fromkeys(plain_type(t) for t in types) if not pa.types.is_null(t)]
    if not found:
        return pa.null()
    if len(found) == 1:
        return found[0]
    if all(map(pa.types.is_integer, found)):
        return pa.int64()
    if all(map(is_number, found)):
        return pa.float64()
    if any(map(pa.types.is_nested, found)):
        return None
    return pa.string()


def scalar(value: str | int | float | bool) -> pa.Scalar:
    """Return a Python value as an Arrow scalar; see ``text_array`` for why not ``pa.scalar``."""
    if isinstance(value, str):
        return text_array([value])[0]
    kind = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}[type(value)]
    return text_array([str(value).lower()])[0].cast(kind)


def text_array(values: Sequence[str]) -> pa.Array:
    """Return texts as an Arrow array.

    ``pa.array`` and ``pa.scalar`` on Python values import pandas, 0.2 s and 45 MB that every pod
    would pay for; making the array from its buffers does not.
    """
    encoded = [value.encode() for value in values]
    offsets = array("i", accumulate(map(len, encoded), initial=0))
    return pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))
    )


def row_numbers(numbers: Sequence[int]) -> pa.Array:
    """Return numbers as an Arrow array; see ``text_array`` for why not ``pa.array``."""
    buffer = pa.py_buffer(array("q", numbers))
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, buffer])


def bools(values: Sequence[bool]) -> pa.Array:
    """Return a mask for ``filter``; see ``text_array`` for why not ``pa.array``."""
    numbers = pa.Array.from_buffers(pa.int8(), len(values), [None, pa.py_buffer(bytes(values))])
    return numbers.cast(pa.bool_())
