"""KFP's artifacts as a task sees them: a path, metadata, and numbers to show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import places, read_dataset, read_rows, write_dataset
from kfp_sdg.storage.artifact import is_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.storage import HistoryEntry

FORMAT = "kfp-sdg dataset: zstd Parquet parts and _manifest.json"


class Artifact(Protocol):
    """An input or output artifact.

    Attributes:
        path: Where it is, or is to be written, on the task's disk.
        metadata: What is known about it; shown by dashboards and kept with the artifact.
    """

    path: str
    metadata: dict[str, Any]


class MetricsArtifact(Protocol):
    """An output artifact that collects numbers."""

    def log_metric(self, metric: str, value: float) -> None:
        """Note a number under a name."""


def read_artifact(artifact: Artifact) -> tuple[pa.Table, tuple[HistoryEntry, ...]]:
    """Return the rows of an input artifact and what was done to them so far.

    A dataset folder has a history; a plain file that somebody else's component made has none.

    Raises:
        StorageError: There is nothing to read.
    """
    if not Path(artifact.path).exists():
        raise StorageError(f"the input artifact is not there: {artifact.path}")
    return read_place(artifact.path)


def read_place(place: str) -> tuple[pa.Table, tuple[HistoryEntry, ...]]:
    """Return the rows at a place and what was done to them so far.

    Args:
        place: A dataset folder, which has a history, or a file, which has none; or a URL of one.

    Raises:
        StorageError: There is nothing to read.
    """
    if places.is_folder(place) and is_dataset(place):
        stored = read_dataset(place)
        return stored.table, tuple(stored.manifest.history)
    return read_rows(place), ()


def write_artifact(artifact: Artifact, rows: pa.Table, history: Sequence[HistoryEntry]) -> None:
    """Write rows as a dataset folder, and say in the artifact's metadata what is in it.

    Args:
        artifact: The output artifact.
        rows: The rows.
        history: What was done to them, the writing block's entry included.

    Raises:
        StorageError: The folder cannot be written.
    """
    manifest = write_dataset(artifact.path, rows, history)
    artifact.metadata.update(
        rows=rows.num_rows,
        columns=json.dumps(rows.column_names, ensure_ascii=False),
        fingerprint=manifest.fingerprint,
        format=FORMAT,
    )


def write_text(artifact: Artifact, text: str) -> None:
    """Write an output artifact that is one text file."""
    path = Path(artifact.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_parameter(path: str, value: int | str) -> None:
    """Write an output parameter to its file."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(value), encoding="utf-8")
