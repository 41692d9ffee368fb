"""Rows from JSON: objects in memory, JSON lines, a JSON list. Values are never changed.

The column types are found first, then pyarrow's JSON reader builds the table with exactly those:
its own inference would turn dates in text into timestamps, and ``pa.array`` on Python values would
import pandas.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.text import BOM, decode
from kfp_sdg.storage.types import ColumnTypes, empty_table

_ROWS_AT_ONCE = 20_000
_BLOCK = 1 << 20


def rows_from_objects(objects: Sequence[Mapping[str, Any]], *, source: str = "rows") -> pa.Table:
    """Build a table from rows of JSON values.

    Args:
        objects: The rows. A column that a row does not have is null there.
        source: What to call the rows in errors.

    Returns:
        The rows with the union of their columns, first-seen order. No rows make no columns.

    Raises:
        StorageError: A row is not an object, a column holds values of different types, or a value
            is not JSON.
    """
    types = ColumnTypes()
    for index, row in enumerate(objects):
        if not isinstance(row, Mapping):
            raise StorageError(f"{source}, row {index}: expected an object, not {_json_name(row)}")
        if not all(isinstance(name, str) for name in row):
            raise StorageError(f"{source}, row {index}: a column's name is not text")
        types.add(row, f"{source}, row {index}")
    return _build(objects, types.schema(), source)


def rows_of_schema(objects: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Build a table of columns whose types are known.

    Args:
        objects: The rows, values as ``pa.Table.to_pylist`` gives them. A column that a row does not
            have is null there; what a row has beyond the columns is left out.
        schema: The columns.

    Returns:
        The rows. No rows keep the columns.
    """
    rows = [{name: row.get(name) for name in schema.names} for row in objects]
    try:
        return _build(rows, schema, "rows").cast(schema)  # the reader forgets what is not null
    except (StorageError, TypeError, pa.ArrowNotImplementedError):
        # Times, bytes, NaN: JSON or its reader cannot say them. Arrow can, but imports pandas.
        return pa.Table.from_pylist(rows, schema=schema)


def read_json_lines(open_file: Callable[[], BinaryIO], source: str) -> pa.Table:
    """Read a file with one JSON object per line; empty lines are skipped.

    The file is read twice, first for the types and then for the rows, so that the rows are never
    all in memory as Python objects.

    Args:
        open_file: Opens the file for reading.
        source: The file's name, for errors.

    Raises:
        StorageError: A line is not a JSON object, types do not fit, or there are no rows.
    """
    types = ColumnTypes()
    longest = rows = 0
    with open_file() as file:
        for number, line in numbered_lines(file):
            types.add(parse_line(line, source, number), f"{source}:{number}")
            longest = max(longest, len(line))
            rows += 1
    schema = types.schema()
    if not len(schema):
        raise StorageError(f"{source}: holds no rows; expected one JSON object per line")
    try:
        with open_file() as file:
            table = _parse(file, schema, max(_BLOCK, 2 * longest), source)
    except StorageError:
        _blame_line(open_file, schema, source)
        raise
    if table.num_rows != rows:
        raise StorageError(
            f"{source}: {rows} rows on the first reading and {table.num_rows} on the second; "
            "something writes to the file"
        )
    return table


def read_json_list(open_file: Callable[[], BinaryIO], source: str) -> pa.Table:
    """Read a file that holds one JSON list of objects.

    Args:
        open_file: Opens the file for reading.
        source: The file's name, for errors.

    Raises:
        StorageError: The file is not such a list, types do not fit, or there are no rows.
    """
    with open_file() as file:
        text = decode(file.read().removeprefix(BOM), source, 1)
    if not text.strip():
        raise StorageError(f"{source}: the file is empty; expected a JSON list of objects")
    rows = _loads(text, source, 1, "a JSON list of objects")
    if not isinstance(rows, list):
        raise StorageError(
            f"{source}: expected a JSON list of objects, not {_json_name(rows)}; a file with one "
            "object per line is named .jsonl"
        )
    table = rows_from_objects(rows, source=source)
    if not table.num_columns:
        raise StorageError(f"{source}: holds no rows")
    return table


def _build(objects: Sequence[Mapping[str, Any]], schema: pa.Schema, source: str) -> pa.Table:
    """Write the rows as JSON, some at a time, and let Arrow read that."""
    if not objects or not len(schema):
        return empty_table(schema)
    iterator = iter(objects)
    tables = []
    while batch := list(islice(iterator, _ROWS_AT_ONCE)):
        lines = b"\n".join(_encode(row, source) for row in batch)
        tables.append(_parse(io.BytesIO(lines), schema, len(lines) + 1, source))
    return pa.concat_tables(tables)


def _blame_line(open_file: Callable[[], BinaryIO], schema: pa.Schema, source: str) -> None:
    """Raise the error of the first line that cannot be parsed: Arrow's own has no line number."""
    with open_file() as file:
        for number, line in numbered_lines(file):
            _parse(io.BytesIO(line), schema, len(line) + 1, f"{source}:{number}")


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty with their numbers."""
    for number, line in enumerate(file, start=1):
        content = (line.removeprefix(BOM) if number == 1 else line).strip()
        if content:
            yield number, content


def parse_line(line: bytes, source: str, number: int) -> dict[str, Any]:
    """Return the object of a line.

    Args:
        line: The line.
        source: The file's name, for the error.
        number: The line's number, counted from 1.

    Raises:
        StorageError: The line is not a JSON object.
    """
    value = _loads(decode(line, source, number), source, number, "one JSON object per line")
    if not isinstance(value, dict):
        raise StorageError(
            f"{source}:{number}: expected one JSON object per line, not {_json_name(value)}"
        )
    return value


def _loads(text: str, source: str, first_line: int, expected: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise StorageError(
            f"{source}:{line}:{error.colno}: not JSON: {error.msg}; expected {expected}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        place = f"{source}:{first_line}" if "line" in expected else source
        raise StorageError(f"{place}: {reason}; expected {expected}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; a key that comes twice is an error, where ``json`` takes the last."""
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return result


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
"""``json.loads`` would make a decoder for each line, which takes as long as the line."""


def _encode(row: Mapping[str, Any], source: str) -> bytes:
    try:
        return json.dumps(dict(row), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise StorageError(
            f"{source}: holds text with half a character (a lone surrogate)"
        ) from None


def _parse(file: BinaryIO, schema: pa.Schema, block_size: int, source: str) -> pa.Table:
    from pyarrow import json as arrow_json

    try:
        return arrow_json.read_json(
            file,
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=block_size),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="error"
            ),
        )
    except pa.ArrowInvalid as error:
        raise StorageError(f"{source}: {error}") from None


def _json_name(value: Any) -> str:
    names: Iterable[tuple[type | tuple[type, ...], str]] = (
        (dict, "an object"),
        (list, "a list"),
        (str, "text"),
        (bool, "true or false"),
        ((int, float), "a number"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")
