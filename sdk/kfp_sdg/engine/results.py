"""The folder a run leaves behind: ``dataset/``, ``rejected/<block>/``, ``partial/``.

``checkpoint/`` may be in it too: the answers of a run that has not succeeded yet, kept by whoever
runs it. Results are written around it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import MANIFEST_NAME, read_dataset, write_dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.engine.outcome import RunResult

DATASET = "dataset"
REJECTED = "rejected"
PARTIAL = "partial"
CHECKPOINT = "checkpoint"
_OURS = (DATASET, REJECTED, PARTIAL)
_MAX_BYTES = 100


def write_run(result: RunResult, folder: str | Path) -> None:
    """Write a run's rows, its rejected rows and its books; older results of ours are replaced.

    The new results are complete before the older ones go.

    Args:
        result: What came of the run.
        folder: Where ``dataset/`` and, with rejected rows, ``rejected/<block>/`` are put. Each is a
            dataset folder; the history in its manifest begins with what was done to the input
            before and ends with the block that made it. Of a run that was stopped, a block that
            has nothing in the output yet may have rejected rows.

    Raises:
        StorageError: The folder holds other things, or cannot be written.
    """
    check_output(folder)
    folder = Path(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as new:
            _write(result, Path(new))
            for name in _OURS:
                shutil.rmtree(folder / name, ignore_errors=True)
            for path in Path(new).iterdir():
                path.rename(folder / path.name)
    except OSError as error:
        raise StorageError(f"cannot write the results to {folder}: {error}") from error


def read_run(folder: str | Path) -> RunResult:
    """Read back what ``write_run`` wrote; what was done before the run is part of the history.

    Raises:
        StorageError: There is no such run, or it cannot be read.
    """
    from kfp_sdg.engine.outcome import RunResult

    folder = Path(folder)
    final = read_dataset(folder / DATASET)
    history = tuple(final.manifest.history)
    rejected = []
    if (folder / REJECTED).is_dir():
        rejected = [read_dataset(path) for path in sorted((folder / REJECTED).iterdir())]
        rejected.sort(key=lambda stored: len(stored.manifest.history))  # in the blocks' order
    return RunResult(
        final.table,
        {stored.manifest.history[-1].block: stored.table for stored in rejected},
        history,
        unfinished=max(
            (stored.manifest.history[len(history) :] for stored in rejected), key=len, default=()
        ),
    )


def check_output(folder: str | Path) -> None:
    """Make sure that results can be written to a folder, before anything is paid for.

    The folder is made if it is not there.

    Raises:
        StorageError: It is a file, holds things that are not the results of an earlier run, or
            cannot be written to.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file; the output has to be a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write to the output folder {folder}: {error.strerror or error}"
        ) from error
    foreign = sorted(path.name for path in folder.iterdir() if not _is_ours(path))
    if foreign:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        raise StorageError(
            f"the output folder {folder} already holds other things ({shown}); choose a folder "
            "that is new, empty, or has only the results of an earlier run, which are then replaced"
        )


def folder_names(block_names: Iterable[str]) -> dict[str, str]:
    """Return a folder name for each block name, safe on every file system and unique.

    Letters, digits, spaces, ``_``, ``-`` and inner dots stay; whatever else becomes ``_``.

    Args:
        block_names: All block names of the pipeline, in order.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for block_name in block_names:
        base = "".join(c if c.isalnum() or c in " ._-" else "_" for c in block_name)
        base = base.strip(" .").encode()[:_MAX_BYTES].decode(errors="ignore").strip(" .") or "block"
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name.casefold())
        names[block_name] = name
    return names


def _write(result: RunResult, folder: Path) -> None:
    """Write all datasets of a run into an empty folder."""
    write_dataset(folder / DATASET, result.rows, (*result.earlier, *result.history))
    entries = (*result.history, *result.unfinished)
    names = folder_names(entry.block for entry in entries)
    for number, entry in enumerate(entries, start=1):
        if entry.block in result.rejected:
            write_dataset(
                folder / REJECTED / names[entry.block],
                result.rejected[entry.block],
                (*result.earlier, *entries[:number]),
            )


def _is_ours(path: Path) -> bool:
    """Tell whether an entry of an output folder was put there by an earlier run."""
    if path.name.startswith(".writing-"):  # left by a run that was killed
        return True
    if path.name == CHECKPOINT:
        return path.is_dir()
    if path.name == PARTIAL:
        return path.is_dir() and all(_is_ours(inner) for inner in path.iterdir())
    if path.name == REJECTED:
        return path.is_dir() and all(_is_dataset(inner) for inner in path.iterdir())
    return path.name == DATASET and _is_dataset(path)


def _is_dataset(path: Path) -> bool:
    """Tell whether a path is a dataset folder of ours."""
    return (path / MANIFEST_NAME).is_file()
