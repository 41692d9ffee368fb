"""Checkpoints: InstructLab's files of rows, and beside them kfp-sdg's journal of answers.

A run with a checkpoint folder keeps every answer in its journal as soon as it is there, so one that
was stopped goes on without asking again, and a changed prompt or model is asked about. Its rows are
written when it is done, as InstructLab does, to ``<folder>/<name>/data_checkpoint_<hex>.jsonl``.

Such files of InstructLab's own are read: rows that they are about are not asked about again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructlab.sdg._origins import Origins, origins_of
from kfp_sdg.blocks.columns import row_numbers
from kfp_sdg.errors import StorageError
from kfp_sdg.storage import rows_from_objects

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from datasets import Dataset

    from kfp_sdg.spec import PipelineSpec

logger = logging.getLogger(__name__)

_FILE = re.compile(r"data_checkpoint_(.+)\.jsonl")
_JOURNALS = ".kfp-sdg"
_INDEX = "__index_level_0__"
"""A column that pandas leaves behind in rows of InstructLab's."""


@dataclass(frozen=True, slots=True)
class RunCheckpoint:
    """The checkpoint of one run.

    Attributes:
        folder: Where its rows are; None for a run without a checkpoint.
        journal: Where its answers are.
    """

    folder: Path | None = None
    journal: Path | None = None

    @classmethod
    def of(cls, checkpoint_dir: str | os.PathLike[str] | None, name: str | None) -> RunCheckpoint:
        """Return the checkpoint of a run by its name, which is that of its leaf."""
        if checkpoint_dir is None or name is None:
            return cls()
        return cls(Path(checkpoint_dir, name), Path(checkpoint_dir, _JOURNALS, name))

    def split(
        self, rows: pa.Table, spec: PipelineSpec, only: Mapping[str, str] | None = None
    ) -> tuple[pa.Table, pa.Table | None]:
        """Return the rows that are to be worked on, and what InstructLab made of the others.

        Args:
            rows: The input.
            spec: The pipeline. Files that are from another one are not used.
            only: Cells that tell the rows of files that are looked at from the others there.
        """
        if self.folder is None or not self.folder.is_dir():
            return rows, None
        origins = origins_of(spec, rows.column_names)
        is_journaled = self.journal is not None and self.journal.is_dir()
        old = [
            row
            for path in _files(self.folder)
            if not (is_journaled and _is_ours(path))
            for row in _of_pipeline(path, _read(path, only or {}), origins)
        ]
        done = _Done(rows, old, origins.carriers)
        if not done.kept:
            return rows, None
        logger.info(
            "%s: %d rows of an earlier run are kept, whatever model made them; %d of %d input rows "
            "are left to work on",
            self.folder,
            len(done.kept),
            len(done.missing),
            rows.num_rows,
        )
        return rows.take(row_numbers(done.missing)), rows_from_objects(
            done.kept, source=str(self.folder)
        )

    def write(self, rows: pa.Table) -> None:
        """Write a run's new rows, in the place of those of ours that were there."""
        if self.folder is None:
            return
        older = [path for path in _files(self.folder) if _is_ours(path)]
        written = _write(self.folder, rows.to_pylist()) if rows.num_rows else None
        for path in older:
            if path != written:
                path.unlink(missing_ok=True)

    def joined(self, new: pa.Table, kept: pa.Table | None) -> pa.Table:
        """Return the new rows, and after them those that were kept.

        Raises:
            StorageError: They have columns of different types.
        """
        import pyarrow as pa

        if kept is None:
            return new
        try:
            return pa.concat_tables([new, kept], promote_options="permissive")
        except pa.ArrowException as error:
            raise StorageError(
                f"the rows in {self.folder} do not fit to the new ones ({error}); move them away"
            ) from error


class Checkpointer:
    """InstructLab's checkpoints, for those who use them without a pipeline."""

    def __init__(
        self, checkpoint_dir: str | os.PathLike[str] | None = None, save_freq: int = 1
    ) -> None:
        """Begin with nothing to save.

        Args:
            checkpoint_dir: Where the files are; None keeps nothing.
            save_freq: How many datasets go into one file.
        """
        self._folder = None if checkpoint_dir is None else Path(checkpoint_dir)
        self._save_freq = save_freq
        self._cache: list[Dataset] = []

    def checkpoint(self, dataset: Dataset) -> None:
        """Take finished rows, and save them with the next ``save_freq`` datasets."""
        if len(dataset):
            self._cache.append(dataset)
        if len(self._cache) >= self._save_freq:
            self.done()

    def done(self) -> None:
        """Save what is not saved yet."""
        if self._cache:
            self.save()
            self._cache.clear()

    def save(self) -> None:
        """Write the datasets that were taken into one file."""
        if self._folder is not None:
            _write(self._folder, [row for dataset in self._cache for row in dataset])

    def load(self, dataset: Dataset) -> tuple[Dataset, Dataset | None]:
        """Return the rows that no file is about, and the rows of all files; None where none are."""
        from kfp_sdg.blocks.dataset import from_dataset, to_dataset

        if self._folder is None or not self._folder.is_dir():
            return dataset, None
        old = [row for path in _files(self._folder) for row in _read(path, {})]
        if not old:
            return dataset, None
        rows = from_dataset(dataset)
        done = _Done(rows, old, {name: name for name in rows.column_names})
        made = rows_from_objects(old, source=str(self._folder))
        return to_dataset(rows.take(row_numbers(done.missing))), to_dataset(made)


class _Done:
    """Which rows of an input were worked on already.

    Attributes:
        missing: The places of those that were not.
        kept: What was made of the others, in the order of the input.
    """

    def __init__(
        self, rows: pa.Table, old: Sequence[Mapping[str, Any]], carriers: Mapping[str, str]
    ) -> None:
        known = {name for row in old for name in row}
        names = [name for name in rows.column_names if carriers.get(name) in known]
        by_seed: dict[str, list[Mapping[str, Any]]] = {}
        for row in old if names else ():
            key = _canonical([row.get(carriers[name]) for name in names])
            by_seed.setdefault(key, []).append(row)
        self.missing: list[int] = []
        self.kept: list[Mapping[str, Any]] = []
        used: set[str] = set()
        for place, row in enumerate(rows.select(names).to_pylist() if by_seed else ()):
            key = _canonical([row[name] for name in names])
            if key not in by_seed:
                self.missing.append(place)
            elif key not in used:
                used.add(key)
                self.kept += by_seed[key]
        if not by_seed:
            self.missing = list(range(rows.num_rows))
        if len(self.kept) < len(old):
            logger.info(
                "%d rows of a checkpoint are about none of the input's rows and not used",
                len(old) - len(self.kept),
            )


def _of_pipeline(
    path: Path, rows: Iterable[dict[str, Any]], origins: Origins
) -> list[dict[str, Any]]:
    """Return a file's rows if they are from this pipeline, as far as can be told."""
    old = list(rows)
    names = {name for row in old for name in row} - {_INDEX}
    filled = {name for row in old for name, cell in row.items() if cell is not None} - {_INDEX}
    could_have = origins.made | set(origins.carriers.values())
    foreign = (origins.made - names) | (filled - could_have)
    if origins.is_complete and old and foreign:
        logger.warning(
            "%s is not used: its columns are not those of this pipeline (%s)",
            path,
            ", ".join(sorted(foreign)),
        )
        return []
    unknown = names - could_have if origins.is_complete else set()
    unknown |= {_INDEX}
    return [{name: cell for name, cell in row.items() if name not in unknown} for row in old]


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))


def _is_ours(path: Path) -> bool:
    """Tell whether a file is one that a run of ours wrote and nobody changed: its name says so."""
    found = _FILE.fullmatch(path.name)
    return found is not None and found[1] == _name_of(path.read_bytes())


def _name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _read(path: Path, only: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a file's rows with some cells; a line that was cut off is told of and left out."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            logger.warning("%s:%d is no row and not used; it was cut off", path, number)
        elif all(row.get(name, cell) == cell for name, cell in only.items()):
            yield row


def _write(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows to a file in one go, and return it."""
    lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    content = "".join(lines).encode("utf-8", "surrogatepass")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"data_checkpoint_{_name_of(content)}.jsonl"
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
    return path


def _canonical(cells: Any) -> str:
    """Return cells as text that is the same for equal ones, whatever wrote them."""
    return json.dumps(_plain(cells), sort_keys=True, default=str)


def _plain(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, list | tuple):
        return [_plain(inner) for inner in cell]
    if isinstance(cell, dict):
        return {name: _plain(inner) for name, inner in cell.items() if inner is not None}
    return cell
