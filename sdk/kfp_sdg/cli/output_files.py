"""Writes the files that a command was told to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kfp_sdg.errors import SpecError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def refuse_input(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what a command reads.

    Args:
        output: The file to be written.
        inputs: The files that are read.

    Raises:
        typer.BadParameter: It is one of them, perhaps by another path.
    """
    if any(output.exists() and file.exists() and output.samefile(file) for file in inputs):
        raise typer.BadParameter(
            f"{output} is what this command reads; name another file", param_hint="--output"
        )


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        place = error.filename or folder
        failure = StorageError(f"cannot write {place}: {error.strerror or error}")
        failure.exit_code = SpecError.exit_code
        raise failure from error
