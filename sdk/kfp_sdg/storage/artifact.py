"""A dataset artifact: a folder of Parquet parts, and a manifest that makes it complete.

    part-00000-train.parquet   zstd, at most ``ROWS_PER_PART`` rows
    part-00001-train.parquet
    _manifest.json             written last

Others read the folder without us because of two names. ``datasets.load_dataset("parquet",
data_dir=…)`` takes the parts with the word "train" as its one split and leaves the manifest alone;
pandas and pyarrow leave alone what begins with an underscore. Else both would take it for Parquet.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import places
from kfp_sdg.storage.fingerprint import fingerprint
from kfp_sdg.storage.manifest import MANIFEST_NAME, HistoryEntry, Manifest
from kfp_sdg.storage.parquet import read_parquet, write_parquet
from kfp_sdg.storage.types import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS_PER_PART = 250_000
_UNFINISHED = MANIFEST_NAME + ".tmp"
_PART = re.compile(r"part-\d{5}-train\.parquet")


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset artifact that was read.

    Attributes:
        table: The rows.
        manifest: What the folder says about them.
    """

    table: pa.Table
    manifest: Manifest


def write_dataset(
    folder: str | os.PathLike[str], table: pa.Table, history: Sequence[HistoryEntry] = ()
) -> Manifest:
    """Write rows as a dataset artifact.

    Until the last moment the folder has no manifest, so that a dataset that was not written to its
    end is never taken for one.

    Args:
        folder: The folder; made where it is not there. An older dataset in it is replaced.
        table: The rows.
        history: What was done to them.

    Returns:
        The manifest.

    Raises:
        StorageError: The folder holds something else than a dataset of ours, a column's type
            cannot be stored, or the disk refuses.
    """
    folder = Path(folder)
    manifest = Manifest(
        rows=table.num_rows,
        columns=_column_types(table, folder),
        fingerprint=fingerprint(table),
        history=tuple(history),
    )
    try:
        unfinished = _clear(folder)
        for number, name in enumerate(part_names(table.num_rows)):
            part = table.slice(number * ROWS_PER_PART, ROWS_PER_PART)
            write_parquet(folder / name, part)
        unfinished.write_text(
            json.dumps(manifest.to_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        unfinished.replace(folder / MANIFEST_NAME)
    except OSError as error:
        raise StorageError(f"cannot write the dataset {folder}: {error}") from error
    return manifest


def read_dataset(folder: str | os.PathLike[str]) -> StoredDataset:
    """Read a dataset artifact.

    Args:
        folder: The folder, or a URL of one.

    Raises:
        StorageError: There is no dataset, it was not written to its end, it is damaged, or a later
            version of kfp-sdg wrote it.
    """
    where = os.fspath(folder)
    names = places.names_in(where)
    if MANIFEST_NAME not in names:
        raise StorageError(
            f"{where}: the dataset is unfinished, writing it was interrupted; make it again"
            if _UNFINISHED in names
            else f"{where}: not a dataset of kfp-sdg, it has no {MANIFEST_NAME}"
        )
    source = places.join(where, MANIFEST_NAME)
    manifest = Manifest.from_text(places.read_text(source), source)
    parts = [places.join(where, name) for name in sorted(names) if _PART.fullmatch(name)]
    if not parts:
        raise StorageError(f"{where}: damaged, there is a manifest but no part of the rows")
    table = pa.concat_tables([read_parquet(part) for part in parts])
    if table.num_rows != manifest.rows or _column_types(table, where) != manifest.columns:
        raise StorageError(
            f"{where}: damaged, the manifest tells of {manifest.rows} rows with the columns "
            f"{', '.join(manifest.columns)}, and the parts hold {table.num_rows} with "
            f"{', '.join(table.column_names)}"
        )
    return StoredDataset(table, manifest)


def part_names(rows: int) -> list[str]:
    """Return the names of the parts that a dataset of so many rows has."""
    parts = max(1, -(-rows // ROWS_PER_PART))
    return [f"part-{number:05d}-train.parquet" for number in range(parts)]


def is_dataset(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder is a dataset artifact, finished or not."""
    names = places.names_in(os.fspath(folder))
    return MANIFEST_NAME in names or _UNFINISHED in names


def is_of_a_dataset(name: str) -> bool:
    """Tell whether a file's name is one that a dataset artifact has."""
    return name in (MANIFEST_NAME, _UNFINISHED) or _PART.fullmatch(name) is not None


def _clear(folder: Path) -> Path:
    """Make the folder ready for writing; return its file that says it is unfinished."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(os.listdir(folder))
    if names and not is_dataset(folder):
        raise StorageError(
            f"{folder} holds other things ({', '.join(names[:3])}{', …' if names[3:] else ''}); "
            "choose a folder that is new or empty, or that holds an older dataset"
        )
    unfinished = folder / _UNFINISHED
    unfinished.touch()
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    for name in names:
        if _PART.fullmatch(name):
            (folder / name).unlink()
    return unfinished


def _column_types(table: pa.Table, source: object) -> dict[str, str]:
    types = {field.name: type_name(field.type) for field in table.schema}
    if len(types) < table.num_columns:
        twice = next(name for name in types if table.column_names.count(name) > 1)
        raise StorageError(f"{source}: two columns are named {twice!r}")
    return types
