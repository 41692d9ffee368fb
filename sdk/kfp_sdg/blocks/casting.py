"""Conversion of whole columns to numbers and bools; a cell that does not convert becomes null."""

from __future__ import annotations

from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.columns import is_number, plain, text_array
from kfp_sdg.storage.types import is_text

DType: TypeAlias = Literal["int", "float", "bool"]

_DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DIGITS = r"^[+-]?\d{1,18}$"
"""What surely fits into 64 bits, exactly, where a float would round it."""
_TRUE = ("true", "yes", "1")
_FALSE = ("false", "no", "0")
_EXACT = 2.0**53
"""Up to here a float64 holds every integer."""


def convert(column: pa.ChunkedArray, dtype: DType) -> pa.ChunkedArray:
    """Convert a column.

    Args:
        column: Text, numbers, bools or nothing but nulls. White space around text does not count.
        dtype: ``float`` takes decimal numbers; ``int`` those without a fraction ("2.0" is 2);
            ``bool`` takes true/yes/1 and false/no/0 in any case, and numbers (0 is false).

    Returns:
        The column as int64, float64 or bool; null where a cell is null or does not convert.

    Raises:
        TypeError: The column holds something else (lists, objects, times).
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_null(kind):
        column = column.cast(pa.string())
    elif not (is_text(kind) or is_number(kind) or pa.types.is_boolean(kind)):
        raise TypeError(f"a column of type {kind} cannot be converted to {dtype}")
    if dtype == "float":
        return _to_float(column)
    return _to_int(column) if dtype == "int" else _to_bool(column)


def _to_float(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if is_text(column.type):
        text = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.match_substring_regex(text, _DECIMAL), text, pa.NA)
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.float64(), safe=False)


def _to_int(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return column.cast(pa.int64())
    number = _to_float(column)
    whole = pc.and_(pc.equal(pc.floor(number), number), _at_most(pc.abs(number), _EXACT))
    integer = pc.if_else(whole, number, pa.NA).cast(pa.int64())
    if not is_text(column.type):
        return integer
    text = pc.utf8_trim_whitespace(column)
    digits = pc.if_else(pc.match_substring_regex(text, _DIGITS), text, pa.NA)
    exact = pc.utf8_ltrim(digits, "+").cast(pa.int64())  # the cast takes no plus
    return pc.coalesce(exact, integer)


def _to_bool(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        return column
    if is_number(column.type):
        number = column.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(number), pa.NA, pc.not_equal(number, _float(0.0)))
    word = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    is_true = pc.is_in(word, value_set=text_array(_TRUE))
    known = pc.is_in(word, value_set=text_array(_TRUE + _FALSE))
    return pc.if_else(known, is_true, pa.NA)


def _at_most(column: pa.ChunkedArray, limit: float) -> pa.ChunkedArray:
    return pc.less_equal(column, _float(limit))


def _float(value: float) -> pa.Scalar:
    return text_array([repr(value)])[0].cast(pa.float64())
