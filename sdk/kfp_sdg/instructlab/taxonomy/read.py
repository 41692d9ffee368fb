"""A taxonomy becomes leaves."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, SpecError
from kfp_sdg.instructlab.taxonomy.files import (
    FILE_NAME,
    FOLDERS,
    chosen_files,
    every_file,
    place_of,
    single_file,
)
from kfp_sdg.instructlab.taxonomy.lint import lint, lint_rules
from kfp_sdg.instructlab.taxonomy.qna import read_qna
from kfp_sdg.spec.problems import Findings
from kfp_sdg.spec.yaml_nodes import fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.instructlab.model import Leaf
    from kfp_sdg.instructlab.taxonomy.files import QnaFile

logger = logging.getLogger(__name__)

EVERYTHING = "empty"
"""The base that has nothing in it, so that everything has changed since."""

LINTED_FROM = 2
"""The first version of the schema whose files are linted."""


LONGEST_NAME = 230
"""Bytes of a leaf's name. File systems take 255 in the name of a file, and the files that are
named after a leaf have up to 21 more."""


def read_taxonomy(
    folder: str | os.PathLike[str],
    *,
    base: str = EVERYTHING,
    yaml_rules: str | os.PathLike[str] | None = None,
) -> tuple[Leaf, ...]:
    """Read the leaves of a taxonomy: the files ``qna.yaml`` in its two folders.

    Every file is checked against the version of the schema that it names (1 where it names none),
    and from version 2 on by yamllint. What is doubtful is logged as a warning, such as a file
    ``qna.yml``, which is not read.

    Args:
        folder: The taxonomy; or a folder in it, to read only what is below; or one ``qna.yaml``,
            which is read whatever the base.
        base: "empty" to read all leaves. Otherwise those that changed since a branch or any other
            revision of git: one with ``/`` is a remote branch, else a local one. From a branch the
            first parents of HEAD lead back to a commit that is part of it. Files that git does not
            track yet count, deleted ones do not.
        yaml_rules: A file with yamllint's configuration, or that configuration; by default
            InstructLab's.

    Returns:
        The leaves, sorted by path; at least one.

    Raises:
        SpecError: There is no taxonomy or nothing to read in it, or files are wrong: the problems
            of all of them, sorted by file and line.
        SdgError: git or yamllint cannot be run.
    """
    rules = lint_rules(yaml_rules)
    findings = Findings()
    files = _files(Path(folder), base, findings)
    read = [read_qna(file, findings) for file in files]
    texts = {r.file.shown: r.text for r in read if (r.version or 0) >= LINTED_FROM}
    lint(texts, rules, findings)
    leaves = [r.leaf for r in read if r.leaf is not None]
    _check_names(leaves, findings)
    for warning in findings.warnings:
        logger.warning("%s", warning)
    if findings.errors:
        places = [(p.where.file, p.where.line, p.where.column) for p in findings.errors]
        order = sorted(range(len(places)), key=places.__getitem__)
        raise SpecError([findings.errors[index] for index in order])
    if not leaves:
        _nothing_to_read(str(folder), base)
    return tuple(sorted(leaves, key=lambda leaf: leaf.path))


def _files(folder: Path, base: str, findings: Findings) -> Sequence[QnaFile]:
    if folder.is_file():
        return [single_file(folder)]
    place = place_of(folder)
    if base == EVERYTHING:
        return every_file(place, findings)
    from kfp_sdg.instructlab.taxonomy.changes import changed_paths

    return chosen_files(place, changed_paths(folder, base), findings)


def _check_names(leaves: Sequence[Leaf], findings: Findings) -> None:
    """Refuse two leaves whose rows could not be told apart, and names that no file can have."""
    first: dict[str, Leaf] = {}
    for leaf in leaves:
        length = len(os.fsencode(leaf.name))
        if length > LONGEST_NAME:
            findings.error(
                Position(leaf.file),
                f"this leaf's name has {length} bytes, and files are named after it",
                code="long-name",
                expected=f"at most {LONGEST_NAME}",
                suggestion="give the folders that it is in shorter names, or fewer of them",
            )
        other = first.setdefault(leaf.name, leaf)
        if other is not leaf:
            findings.error(
                Position(leaf.file),
                f"this leaf has the same name as {other.file}: {leaf.name}",
                code="duplicate-leaf",
                suggestion="rename a folder; `/` becomes `_` in the name of a leaf",
            )


def _nothing_to_read(folder: str, base: str) -> None:
    what = f"no {FILE_NAME} below {' or '.join(FOLDERS)}"
    if base == EVERYTHING:
        fail(Position(folder), f"there are no leaves in this taxonomy: {what}", code="no-leaves")
    fail(
        Position(folder),
        f"no leaf of this taxonomy has changed since {base!r}",
        code="no-leaves",
        suggestion="the base 'empty' reads all leaves",
    )
