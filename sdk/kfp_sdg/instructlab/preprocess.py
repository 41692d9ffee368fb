"""The rows of all leaves, by leaf and by kind, in memory and as a folder of files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.columns import row_numbers, scalar, text_array
from kfp_sdg.errors import Position, StorageError
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.rows import FEWEST_PAIR_COLUMNS, KIND, LEAF, columns_of, leaf_rows
from kfp_sdg.instructlab.scale import scale_of_leaves
from kfp_sdg.spec.scaling import SCALE_COLUMN
from kfp_sdg.spec.yaml_nodes import fail
from kfp_sdg.storage import places, read_rows
from kfp_sdg.storage.types import empty_table, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kfp_sdg.instructlab.model import Leaf

ENDING = ".jsonl"


@dataclass(frozen=True, slots=True)
class LeafRows:
    """The rows of one leaf.

    Attributes:
        name: The leaf's name, as in the column ``leaf_node_path``.
        kinds: What its rows are for, in the order of ``LeafKind``.
        rows: Its rows of all kinds.
    """

    name: str
    kinds: tuple[LeafKind, ...]
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """What a taxonomy and its documents give a pipeline to read.

    Attributes:
        leaves: The rows by leaf, sorted by name.
    """

    leaves: tuple[LeafRows, ...]

    @property
    def kinds(self) -> tuple[LeafKind, ...]:
        """The kinds that there are rows of, in the order of ``LeafKind``."""
        found = {kind for leaf in self.leaves for kind in leaf.kinds}
        return tuple(kind for kind in LeafKind if kind in found)

    def table(self, kind: LeafKind) -> pa.Table:
        """Return the rows of one kind, leaf by leaf.

        Args:
            kind: The kind.

        Returns:
            Its columns (knowledge: as many pairs as any example has, null where one has fewer), and
            behind them those that only some leaves have, such as a scale factor, null elsewhere.

        Raises:
            StorageError: Leaves have columns of the same name and different types.
        """
        parts = [_of_kind(leaf, kind) for leaf in self.leaves if kind in leaf.kinds]
        if not parts:
            return empty_table(pa.schema([(name, pa.string()) for name in columns_of(kind)]))
        try:
            table = pa.concat_tables(parts, promote_options="default")
        except pa.ArrowException as error:
            raise StorageError(f"the rows of {kind} do not fit together: {error}") from error
        most = FEWEST_PAIR_COLUMNS
        while f"icl_query_{most + 1}" in table.column_names:
            most += 1
        first = [name for name in columns_of(kind, most) if name in table.column_names]
        return table.select([*first, *(n for n in table.column_names if n not in first)])


def preprocess(
    leaves: Iterable[Leaf],
    chunks_by_leaf: Mapping[str, Sequence[str]],
    *,
    scale_factors: Mapping[str, int] | None = None,
) -> Preprocessed:
    """Put the rows of all leaves together.

    Args:
        leaves: The leaves.
        chunks_by_leaf: The pieces of each knowledge leaf's documents, by the leaf's name.
        scale_factors: How much to generate from each row, for leaves that are to have more or less
            than the others: by the leaf's path, its name, or a glob pattern of these
            ("knowledge/science/*"). A whole path or name goes before a pattern, a later pattern
            before an earlier one.

    Returns:
        The rows; those of leaves with a scale factor have it in ``num_instructions_to_generate``.

    Raises:
        SpecError: There is nothing of a knowledge leaf's documents, or a scale factor is not a
            whole number from 1 up, or for a leaf that is not there.
    """
    leaves = sorted(leaves, key=lambda leaf: leaf.name)
    factors = scale_of_leaves(leaves, scale_factors or {})
    return Preprocessed(
        tuple(
            LeafRows(
                leaf.name,
                leaf.kinds,
                _scaled(_rows(leaf, chunks_by_leaf.get(leaf.name, ())), factors.get(leaf.name)),
            )
            for leaf in leaves
        )
    )


def write_preprocessed(preprocessed: Preprocessed, folder: str | os.PathLike[str]) -> list[Path]:
    """Write a file ``<leaf>.jsonl`` for each leaf; the same rows make the same bytes.

    Args:
        preprocessed: The rows.
        folder: The folder; made where it is not there.

    Returns:
        The files, in the order of the leaves.

    Raises:
        StorageError: The folder holds the rows of other leaves, or the disk refuses.
    """
    folder = Path(folder)
    paths = [folder / f"{leaf.name}{ENDING}" for leaf in preprocessed.leaves]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted({path.name for path in folder.glob(f"*{ENDING}")} - {p.name for p in paths})
        if others:
            raise StorageError(
                f"{folder} holds the rows of other leaves ({others[0]}); choose a folder that is "
                "new or empty"
            )
        for path, leaf in zip(paths, preprocessed.leaves, strict=True):
            _write_lines(path, leaf.rows)
    except OSError as error:
        message = f"cannot write the rows of the leaves to {folder}: {error.strerror or error}"
        raise StorageError(message) from error
    return paths


def read_preprocessed(folder: str | os.PathLike[str]) -> Preprocessed:
    """Read what ``write_preprocessed`` wrote, or InstructLab.

    Args:
        folder: The folder, or a URL of one. A file's name is the name of its leaf.

    Returns:
        The rows, with all columns that they have.

    Raises:
        StorageError: There are no rows, a line is damaged, or a row lacks what it needs; the
            message names file and line.
    """
    where = os.fspath(folder)
    names = sorted(n.removesuffix(ENDING) for n in places.names_in(where) if n.endswith(ENDING))
    if not names:
        raise StorageError(f"{where}: there are no rows of leaves; expected files <leaf>{ENDING}")
    return Preprocessed(
        tuple(_read_leaf(name, places.join(where, f"{name}{ENDING}")) for name in names)
    )


def _rows(leaf: Leaf, chunks: Sequence[str]) -> pa.Table:
    if LeafKind.KNOWLEDGE in leaf.kinds and not chunks:
        fail(
            Position(leaf.file),
            "there is nothing of this leaf's documents to read",
            code="no-chunks",
            expected=f"at least one piece of text for {leaf.name}",
        )
    return leaf_rows(leaf, chunks)


def _scaled(rows: pa.Table, factor: int | None) -> pa.Table:
    if factor is None:
        return rows
    return rows.append_column(SCALE_COLUMN, row_numbers([factor] * rows.num_rows))


def _of_kind(leaf: LeafRows, kind: LeafKind) -> pa.Table:
    """Return a leaf's rows of a kind, without the columns that only its other kinds have."""
    others = {name for other in leaf.kinds if other is not kind for name in columns_of(other)}
    foreign = others - set(columns_of(kind))
    rows = leaf.rows.filter(pc.equal(leaf.rows[KIND], scalar(kind.value)))
    return rows.select([name for name in rows.column_names if name not in foreign])


def _write_lines(path: Path, rows: pa.Table) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="\n") as file:
        for batch in rows.to_batches(max_chunksize=1_000):
            for row in batch.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    unfinished.replace(path)


def _read_leaf(name: str, file: str) -> LeafRows:
    rows = _named(_with_types(read_rows(file)), name, file)
    found = _texts(rows, KIND, file)
    unknown = sorted(set(found) - {kind.value for kind in LeafKind}, key=str)
    if unknown:
        raise StorageError(
            f"{file}, row {found.index(unknown[0])}: {KIND} is {unknown[0]!r}; expected one of "
            f"{', '.join(LeafKind)}"
        )
    kinds = tuple(kind for kind in LeafKind if kind.value in found)
    for kind in kinds:
        _check_complete(rows, kind, file)
    if LeafKind.KNOWLEDGE in kinds:
        for column in columns_of(LeafKind.KNOWLEDGE):
            if column not in rows.column_names:  # a seed example of one or two pairs
                rows = rows.append_column(column, pa.nulls(rows.num_rows, pa.string()))
    return LeafRows(name, kinds, rows)


def _with_types(rows: pa.Table) -> pa.Table:
    """Return rows whose columns that hold nothing at all are of text, as ours are."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_null(field.type):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.string()))
    return rows


def _named(rows: pa.Table, name: str, file: str) -> pa.Table:
    """Return rows that say which leaf they are of; InstructLab's do not always."""
    if LEAF not in rows.column_names:
        return rows.append_column(LEAF, text_array([name] * rows.num_rows))
    for index, written in enumerate(rows[LEAF].to_pylist()):
        if written != name:
            raise StorageError(
                f"{file}, row {index}: {LEAF} is {written!r}, and the file is named after the leaf "
                f"{name!r}; expected one file for each leaf"
            )
    return rows


def _check_complete(rows: pa.Table, kind: LeafKind, file: str) -> None:
    """Refuse rows without what the prompts of their kind show, such as a lost context."""
    of_kind = [value == kind.value for value in rows[KIND].to_pylist()]
    needed = [name for name in columns_of(kind) if not name.endswith(("_2", "_3"))]
    for column in needed:
        for index, (value, wanted) in enumerate(
            zip(_texts(rows, column, file), of_kind, strict=True)
        ):
            if wanted and value is None:
                raise StorageError(f"{file}, row {index}: a row of {kind} has no {column}")


def _texts(rows: pa.Table, column: str, file: str) -> list[str | None]:
    if column not in rows.column_names:
        raise StorageError(
            f"{file}: the rows have no column {column}; they have {', '.join(rows.column_names)}"
        )
    if not is_text(rows[column].type):
        raise StorageError(f"{file}: the column {column} is not text but {rows[column].type}")
    texts: list[str | None] = rows[column].to_pylist()
    return texts
