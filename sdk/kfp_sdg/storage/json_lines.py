"""Files with one JSON object on each line, read and written one at a time."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.json_rows import numbered_lines, parse_line
from kfp_sdg.storage.places import open_binary

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)
"""``json.dumps`` would make an encoder for each row."""


def json_objects(place: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file with the number of their line; empty lines are skipped.

    Args:
        place: The file's path or URL.

    Raises:
        StorageError: The file cannot be read, or a line is not a JSON object; the message says
            which.
    """
    source = str(place)
    with open_binary(source) as file:
        for number, line in numbered_lines(file):
            yield number, parse_line(line, source, number)


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a file with one row on each line.

    Args:
        path: The file. Its folder is made where it is not there.
        rows: JSON values.

    Returns:
        How many rows there were.

    Raises:
        StorageError: The disk refuses.
    """
    count = 0
    with json_lines_file(path) as write:
        for row in rows:
            write(row)
            count += 1
    return count


@contextmanager
def json_lines_file(path: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that writes one row; the file is there when all of them are written.

    Args:
        path: The file. Its folder is made where it is not there. An older one is replaced once the
            block of code ends, and kept if that fails.

    Raises:
        StorageError: The disk refuses.
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as file:
                yield lambda row: _write(file.write, row)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def json_text(value: Any) -> str:
    """Return a value as JSON that every reader takes.

    Numbers that JSON has no words for (NaN and the infinities) become null, times text, and half a
    character (a lone surrogate) stays as it came, escaped.
    """
    try:
        text = _ENCODER.encode(value)
        text.encode()
    except ValueError:
        return json.dumps(_finite(value), default=str)
    return text


def _write(write: Callable[[bytes], int], row: Mapping[str, Any]) -> None:
    write(json_text(row).encode() + b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
