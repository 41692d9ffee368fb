"""Which column types a set of rows needs, found without changing a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NULL, _BOOL, _INTEGER, _FLOAT, _TEXT = (
    pa.null(),
    pa.bool_(),
    pa.int64(),
    pa.float64(),
    pa.string(),
)
_SCALARS: dict[type, pa.DataType] = {
    type(None): _NULL,
    bool: _BOOL,
    int: _INTEGER,
    float: _FLOAT,
    str: _TEXT,
}
_INT64 = range(-(2**63), 2**63)
_LONG = pa.uint64()
"""Stands for an integer that a float would round, while types are being found. JSON values have no
type of this name, and a schema has ``_INTEGER`` in its place."""
_EXACT = range(-(2**53), 2**53 + 1)
"""Integers all of which a float holds."""


class _MixedError(Exception):
    """Two types that no column can hold together."""

    def __init__(self, first: pa.DataType, second: pa.DataType) -> None:
        self.first = first
        self.second = second


class ColumnTypes:
    """Collects the type of every column over rows of JSON values.

    Values of one column must be of one type; integers among floats become floats, unless that would
    round one, and null fits every type. Lists and objects are compared by their parts.
    """

    def __init__(self) -> None:
        self._types: dict[str, pa.DataType] = {}
        self._seen_at: dict[str, str] = {}

    def add(self, row: Mapping[str, Any], place: str) -> None:
        """Take note of a row.

        Args:
            row: Column names and JSON values.
            place: Where the row stands, for the error: "rows.jsonl:17".

        Raises:
            StorageError: A value is of another type than the column's values before, or is not a
                JSON value.
        """
        for name, value in row.items():
            known = self._types.get(name, _NULL)
            try:
                found = _type_of(value)
                if found is known and name in self._types:
                    continue
                unified = _unify(known, found)
            except _MixedError as error:
                raise StorageError(self._mixed(name, value, place, error)) from None
            except ValueError as error:
                raise StorageError(f"{place}: column {name!r} {error}") from None
            except RecursionError:
                raise StorageError(f"{place}: column {name!r} is nested too deeply") from None
            self._types[name] = unified
            if unified != known and (pa.types.is_null(known) or not pa.types.is_nested(known)):
                self._seen_at[name] = place

    def schema(self) -> pa.Schema:
        """Return the columns in the order in which they were first seen."""
        return pa.schema([(name, _stored(kind)) for name, kind in self._types.items()])

    def _mixed(self, name: str, value: Any, place: str, error: _MixedError) -> str:
        first, second = _described(error.first), _described(error.second)
        rule = "holds values of one type"
        if _LONG in (error.first, error.second) and _FLOAT in (error.first, error.second):
            rule += ", and a float would round that integer; write all of them as text"
        known = self._types.get(name, _NULL)
        if error.first is known:
            return (
                f"{place}: column {name!r} is {second} here ({_short(value)}) but {first} before "
                f"(at {self._seen_at[name]}); a column {rule}"
            )
        before = f", first seen at {self._seen_at[name]}" if name in self._seen_at else ""
        return (
            f"{place}: column {name!r} has lists or objects whose parts are both {first} and "
            f"{second} ({_short(value)}{before}); each part {rule}"
        )


def empty_table(schema: pa.Schema) -> pa.Table:
    """Return a table without rows; ``schema.empty_table()`` would import pandas."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def describe(data_type: pa.DataType) -> str:
    """Return a type's name as users know it: text, integer, float, bool, list, object."""
    kinds = pa.types
    if kinds.is_dictionary(data_type):
        return describe(data_type.value_type)
    names = (
        (is_text, "text"),
        (kinds.is_boolean, "bool"),
        (kinds.is_integer, "integer"),
        (kinds.is_floating, "float"),
        (kinds.is_struct, "object"),
        (kinds.is_null, "null"),
    )
    if kinds.is_list(data_type) or kinds.is_large_list(data_type):
        return f"list of {describe(data_type.value_type)}"
    return next((name for test, name in names if test(data_type)), str(data_type))


def type_name(data_type: pa.DataType) -> str:
    """Return a type's exact name without its encoding: "string", "list<struct<a: int64>>"."""
    kinds = pa.types
    if kinds.is_dictionary(data_type):
        return type_name(data_type.value_type)
    if is_text(data_type):
        return str(_TEXT)
    if kinds.is_list(data_type) or kinds.is_large_list(data_type):
        return f"list<{type_name(data_type.value_type)}>"
    if kinds.is_struct(data_type):
        parts = (f"{field.name}: {type_name(field.type)}" for field in data_type)
        return f"struct<{', '.join(parts)}>"
    return str(data_type)


def is_text(data_type: pa.DataType) -> bool:
    """Tell whether cells of this type are text, whatever their encoding."""
    return data_type in (_TEXT, pa.large_string(), pa.string_view())


def _type_of(value: Any) -> pa.DataType:
    """Return a value's type; ValueError says why there is none."""
    scalar = _SCALARS.get(type(value))
    if scalar is not None:
        if scalar is _INTEGER and value not in _INT64:
            raise ValueError(f"has the integer {value}, which does not fit into 64 bits")
        if scalar is _INTEGER and value not in _EXACT and int(float(value)) != value:
            return _LONG
        return scalar
    if isinstance(value, list):
        item = _NULL
        for part in value:
            item = _unify(item, _type_of(part))
        return pa.list_(item)
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("has an object with a key that is not text")
        return pa.struct([(name, _type_of(part)) for name, part in value.items()])
    raise ValueError(
        f"has a value of type {type(value).__name__}; expected text, a number, true, false, null, "
        "a list or an object"
    )


def _unify(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both."""
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    if {first, second} == {_INTEGER, _FLOAT}:
        return _FLOAT
    if {first, second} == {_INTEGER, _LONG}:
        return _LONG
    if pa.types.is_list(first) and pa.types.is_list(second):
        return pa.list_(_unify(first.value_type, second.value_type))
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        fields = {field.name: field.type for field in first}
        for field in second:
            known = fields.get(field.name)
            fields[field.name] = field.type if known is None else _unify(known, field.type)
        return pa.struct(list(fields.items()))
    raise _MixedError(first, second)


def _stored(data_type: pa.DataType) -> pa.DataType:
    """Return the type that a column gets, with ``_INTEGER`` for ``_LONG``."""
    if pa.types.is_list(data_type):
        return pa.list_(_stored(data_type.value_type))
    if pa.types.is_struct(data_type):
        return pa.struct([(field.name, _stored(field.type)) for field in data_type])
    return _INTEGER if data_type == _LONG else data_type


def _described(data_type: pa.DataType) -> str:
    return "integer beyond 2**53" if data_type == _LONG else describe(data_type)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
