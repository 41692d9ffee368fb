"""Rows from CSV: every cell is text."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.text import check_utf8

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 64 << 20


def read_csv(open_file: Callable[[], BinaryIO], source: str) -> pa.Table:
    """Read a comma-separated file whose first line names the columns.

    Args:
        open_file: Opens the file for reading.
        source: The file's name, for errors.

    Returns:
        Text columns: nothing is guessed, "007" stays "007". A cell with nothing in it is null, and
        a quoted one (``""``) is empty text. A file with names only has no rows.

    Raises:
        StorageError: The file is empty or not UTF-8, two columns have one name, or a row has
            another number of cells.
    """
    from pyarrow import csv as arrow_csv

    names = _header(open_file, source)
    try:
        with open_file() as file:
            return arrow_csv.read_csv(
                file,
                read_options=arrow_csv.ReadOptions(block_size=_BLOCK, use_threads=False),
                # Long answers run over lines.
                parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
    except pa.ArrowInvalid as error:
        check_utf8(open_file, source)
        raise StorageError(f"{source}: {error}") from None


def _header(open_file: Callable[[], BinaryIO], source: str) -> list[str]:
    """Return the columns' names."""
    with open_file() as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            names = next(csv.reader(text), [])
        except UnicodeDecodeError:
            names = None
        except csv.Error as error:
            raise StorageError(f"{source}:1: {error}") from None
    if names is None:
        check_utf8(open_file, source)
    if not names:
        raise StorageError(f"{source}: the file is empty; expected a line with the columns' names")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise StorageError(f"{source}:1: two columns are named {twice[0]!r}")
    return names
