"""Rows from any place a user may name."""

from __future__ import annotations

import functools
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import places
from kfp_sdg.storage.artifact import is_dataset, read_dataset
from kfp_sdg.storage.csv_rows import read_csv
from kfp_sdg.storage.json_rows import read_json_lines, read_json_list
from kfp_sdg.storage.parquet import read_parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

_TEXT_FORMATS: dict[str, Callable[[Callable[[], BinaryIO], str], pa.Table]] = {
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_list,
    ".csv": read_csv,
}
_PARQUET = ".parquet"
_EXPECTED = (
    ".jsonl or .ndjson (one JSON object per line), .json (a list of objects), .csv, .parquet, a "
    "dataset folder, or a folder of .parquet files"
)


def read_rows(path: str | os.PathLike[str]) -> pa.Table:
    """Read rows; no value is changed by reading.

    Args:
        path: A file that ends in .jsonl, .ndjson, .json, .csv or .parquet, a dataset folder of
            ours or a folder of Parquet files; or a URL of one of these. All cells of a CSV file are
            text, and those with nothing in them null.

    Returns:
        The rows with the union of their columns, in the order of the file.

    Raises:
        StorageError: There is nothing, or nothing that can be read as rows; the message says where
            in the file.
    """
    where = os.fspath(path)
    if places.is_folder(where):
        return _read_folder(where)
    ending = PurePosixPath(where).suffix.lower()
    if ending == _PARQUET:
        return read_parquet(where)
    if ending not in _TEXT_FORMATS:
        raise StorageError(
            f"{where}: cannot tell from the ending {ending!r} what is in the file; expected "
            f"{_EXPECTED}"
            if ending
            else f"{where}: the file has no ending that says what is in it; expected {_EXPECTED}"
        )
    return _TEXT_FORMATS[ending](functools.partial(places.open_binary, where), where)


def _read_folder(folder: str) -> pa.Table:
    if is_dataset(folder):
        return read_dataset(folder).table
    names = sorted(name for name in places.names_in(folder) if name.lower().endswith(_PARQUET))
    if not names:
        raise StorageError(f"{folder}: the folder holds no rows; expected {_EXPECTED}")
    tables = [read_parquet(places.join(folder, name)) for name in names]
    for name, table in zip(names, tables, strict=True):
        if table.schema != tables[0].schema:
            raise StorageError(
                f"{folder}: {name} has other columns or types than {names[0]}: "
                f"{_columns(table)} and {_columns(tables[0])}"
            )
    return pa.concat_tables(tables)


def _columns(table: pa.Table) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in table.schema)
