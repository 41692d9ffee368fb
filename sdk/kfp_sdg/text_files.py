"""Text files in a folder that somebody named."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import SpecError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def write_file(path: Path, text: str) -> None:
    """Write a file into a folder that need not be there yet.

    Args:
        path: The file.
        text: What it is to hold.

    Raises:
        StorageError: It cannot be written; the user's mistake, who named it.
    """
    write_files(path.parent, {path.name: text})


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder that need not be there yet.

    Args:
        folder: The folder.
        files: The files' texts by their names.

    Raises:
        StorageError: As for ``write_file``.
    """
    with named_by_user("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def named_by_user(verb: str, place: Path) -> Iterator[None]:
    """Tell of what the system refuses as of a mistake of the user, who named the place.

    Args:
        verb: What is tried: "write".
        place: Where, if the system does not say it.

    Raises:
        StorageError: The system refused it.
    """
    try:
        yield
    except OSError as error:
        failure = StorageError(
            f"cannot {verb} {error.filename or place}: {error.strerror or error}"
        )
        failure.exit_code = SpecError.exit_code
        raise failure from error
