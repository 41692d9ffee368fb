"""JSON and JSON lines, to and from paths or open files."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Place: TypeAlias = "str | os.PathLike[str] | IO[str]"


def jdump(
    obj: Any, f: Place, mode: str = "w", indent: int = 4, default: Callable[[Any], Any] = str
) -> None:
    """Write an object or a list as JSON, a text as it is.

    Args:
        obj: What to write.
        f: Where to; folders that are missing are made.
        mode: How a path is opened.
        indent: Spaces per level.
        default: Makes JSON of what is none.

    Raises:
        ValueError: It is neither an object, nor a list, nor a text.
    """
    if not isinstance(obj, dict | list | str):
        raise ValueError(f"Unexpected type: {type(obj)}")
    with _opened(f, mode) as file:
        if isinstance(obj, str):
            file.write(obj)
        else:
            json.dump(obj, file, indent=indent, default=default)


def jload(f: Place, mode: str = "r") -> Any:
    """Return what a JSON file holds.

    Args:
        f: Where from.
        mode: How a path is opened.
    """
    with _opened(f, mode) as file:
        return json.load(file)


def jldump(data: Iterable[Any], out: Place) -> None:
    """Write one line of JSON for each item.

    Args:
        data: The items; the rows of a ``Dataset`` too.
        out: Where to; folders that are missing are made.
    """
    with _opened(out, "w") as file:
        for entry in data:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def jlload(f: Place, mode: str = "r") -> list[Any]:
    """Return the items of a file of JSON lines; empty lines are skipped.

    Args:
        f: Where from.
        mode: How a path is opened.
    """
    with _opened(f, mode) as file:
        return [json.loads(line) for line in file if line.strip()]


@contextmanager
def _opened(place: Place, mode: str) -> Iterator[IO[str]]:
    """Open a path, or take an open file, which is closed in the end as well."""
    if not isinstance(place, str | os.PathLike):
        with place:
            yield place
        return
    path = Path(place)
    if "r" not in mode:
        path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, encoding="utf-8") as file:
        yield file
