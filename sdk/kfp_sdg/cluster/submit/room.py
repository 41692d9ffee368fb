"""The folder that a run's outputs are fetched into: what may be replaced there, and what never.

A dataset shows by its names whose it is. Of other outputs, such as a workflow's training data, a
file beside them notes which files were fetched.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.engine.results import REJECTED
from kfp_sdg.errors import SpecError, StorageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from kfp_sdg.cluster.submit.package import Package

_NOTES = ".fetched.json"


def require_room(package: Package, folder: Path) -> None:
    """Raise a ``StorageError`` if a run has no outputs, or they have no place in a folder.

    What was fetched before is replaced, and so are datasets; nothing else.

    Args:
        package: The pipeline.
        folder: Where they are to go.
    """
    if not package.outputs:
        raise _mistake(f"{package.display_name} puts out no artifact that --output could fetch")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise _mistake(f"{there} is a file, so that --output cannot be {folder}")
    if not os.access(there, os.W_OK):
        raise _mistake(f"{there} may not be written, so that --output cannot be {folder}")
    rejected = folder / REJECTED
    places = [folder / output.name for output in package.outputs]
    places += [rejected] if rejected.is_file() else sorted(rejected.glob("*"))
    for place in places:
        foreign = _foreign(place)
        if foreign:
            raise _mistake(
                f"{place} is there already and holds what was not fetched ({foreign}); choose "
                "another --output"
            )


@contextmanager
def in_whole(folder: Path) -> Iterator[Path]:
    """Give a folder for an artifact that gets its name once it is complete.

    Args:
        folder: The artifact's place, which may hold what may be replaced.

    Yields:
        An empty folder beside it. What it holds at the end takes the place; after an error it
        vanishes, and what was there before is there again.

    Raises:
        StorageError: It cannot be written.
    """
    part, before = (folder.with_name(f".{folder.name}.{end}") for end in ("part", "old"))
    try:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        _note(folder, sorted(_files(part)))
        if folder.exists():
            folder.rename(before)
        part.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        if before.exists() and not folder.exists():
            before.rename(folder)
        shutil.rmtree(before, ignore_errors=True)
        shutil.rmtree(part, ignore_errors=True)


def drop_rejected(folder: Path, kept: Collection[Path]) -> None:
    """Take away the rejected rows of an earlier run, which are not of the outputs beside them.

    Args:
        folder: Where a run's outputs are.
        kept: The folders of rejected rows that are this run's.
    """
    rejected = folder / REJECTED
    for place in sorted(rejected.glob("*")):
        if place not in kept and not _foreign(place):
            shutil.rmtree(place)
    if rejected.is_dir() and not any(rejected.iterdir()):
        rejected.rmdir()


def _foreign(place: Path) -> str:
    """Return a file at a place that did not come from a run, or ""."""
    from kfp_sdg.storage.artifact import is_of_a_dataset

    if not place.exists():
        return ""
    if not place.is_dir():
        return place.name
    known = _notes(place).get(place.name, ())
    files = sorted(_files(place))
    return next((name for name in files if not (is_of_a_dataset(name) or name in known)), "")


def _files(folder: Path) -> Iterator[str]:
    for below, _, names in os.walk(folder):
        yield from (Path(below, name).relative_to(folder).as_posix() for name in names)


def _notes(place: Path) -> dict[str, list[str]]:
    """Return which files were fetched, for each folder beside a place."""
    try:
        notes = json.loads(place.with_name(_NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _note(place: Path, files: list[str]) -> None:
    """Note which files a place has got, unless they tell it by their names."""
    from kfp_sdg.storage.artifact import is_of_a_dataset

    if all(is_of_a_dataset(name) for name in files):
        return
    text = json.dumps({**_notes(place), place.name: files}, indent=1)
    place.with_name(_NOTES).write_text(text, encoding="utf-8")


def _mistake(message: str) -> StorageError:
    error = StorageError(message)
    error.exit_code = SpecError.exit_code
    return error
