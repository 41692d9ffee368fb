"""Which files of a taxonomy are its leaves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from kfp_sdg.errors import Position
from kfp_sdg.spec.yaml_nodes import fail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kfp_sdg.spec.problems import Findings

FOLDERS = ("compositional_skills", "knowledge")
"""The folders of a taxonomy that have leaves; also the names of the schemas."""

FILE_NAME = "qna.yaml"
MISSPELT = ("qna.yaml", "qna.yml")
"""What a file is called, in lower case, that is probably meant to be a leaf."""


@dataclass(frozen=True, slots=True)
class QnaFile:
    """A leaf's file.

    Attributes:
        path: The file, to open it.
        shown: The file as the user would find it, for messages.
        leaf: The leaf's path in the taxonomy: "knowledge/science/birds".
    """

    path: Path
    shown: str
    leaf: str

    @property
    def folder(self) -> str:
        """Which of ``FOLDERS`` it is in."""
        return self.leaf.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Place:
    """What the user named: a taxonomy, or a folder in it.

    Attributes:
        folder: The folder as the user wrote it.
        prefix: Its path in the taxonomy; () for the taxonomy itself.
    """

    folder: Path
    prefix: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The taxonomy's own folder, without symbolic links."""
        folder = self.folder.resolve()
        return folder.parents[len(self.prefix) - 1] if self.prefix else folder


def place_of(folder: Path) -> Place:
    """Return what a folder is: a taxonomy, or a part of one.

    Raises:
        SpecError: There is no such folder.
    """
    where = Position(str(folder))
    try:
        if not folder.is_dir():
            fail(
                where,
                "this taxonomy is not a folder" if folder.exists() else "there is no such taxonomy",
                code="missing-taxonomy",
                expected=f"a folder with {' and '.join(FOLDERS)} in it, or one {FILE_NAME}",
            )
        if any((folder / name).is_dir() for name in FOLDERS):
            return Place(folder, ())
    except OSError as error:
        fail(where, f"this taxonomy cannot be read: {error.strerror}", code="unreadable")
    return Place(folder, _path_in_taxonomy(folder))


def single_file(path: Path) -> QnaFile:
    """Return the leaf's file that the user named instead of a taxonomy.

    Outside of a taxonomy the leaf is named after the file's folder; whether it is knowledge or a
    skill its content says, since there is no folder that does.

    Raises:
        SpecError: It is not called ``qna.yaml``.
    """
    if path.name != FILE_NAME:
        fail(
            Position(str(path)),
            "this file is not a leaf of a taxonomy",
            code="file-name",
            expected=f"a file called {FILE_NAME}, or a folder",
        )
    inside = _path_in_taxonomy(path.parent)
    return QnaFile(path, str(path), "/".join(inside or (path.resolve().parent.name,)))


def every_file(place: Place, findings: Findings) -> list[QnaFile]:
    """Return the files of all leaves, sorted by leaf."""
    return _leaves(place, _walk(place), findings)


def chosen_files(place: Place, paths: Iterable[str], findings: Findings) -> list[QnaFile]:
    """Return the files of those leaves that are among some paths, sorted by leaf.

    Args:
        place: What is read.
        paths: Paths below ``place.folder``, with ``/``; other files may be among them.
        findings: Takes what is wrong or doubtful.
    """
    return _leaves(place, sorted(set(paths)), findings)


def _path_in_taxonomy(folder: Path) -> tuple[str, ...]:
    """Return a folder's path in the taxonomy that it is in; () where it is in none."""
    parts = folder.resolve().parts
    starts = [index for index, part in enumerate(parts) if part in FOLDERS]
    return parts[starts[-1] :] if starts else ()


def _walk(place: Place) -> Iterator[str]:
    """Yield all files, and the folders that are symbolic links, by path below the folder."""
    for parent, folders, files in os.walk(place.folder, onerror=_refuse):
        below = Path(parent).relative_to(place.folder)
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        if not below.parts and not place.prefix:
            folders[:] = [name for name in folders if not name.startswith(".")]
        folders.sort()
        for name in sorted((*files, *links)):
            yield (below / name).as_posix()


def _refuse(error: OSError) -> NoReturn:
    """Stop at a folder that cannot be read; leaves below it would be lost without a word."""
    where = Position(str(error.filename))
    fail(where, f"this folder cannot be read: {error.strerror}", code="unreadable")


def _leaves(place: Place, paths: Iterable[str], findings: Findings) -> list[QnaFile]:
    leaves = []
    for path in paths:
        inside = PurePosixPath(*place.prefix, path)
        file = QnaFile(place.folder / path, str(place.folder / path), inside.parent.as_posix())
        in_taxonomy = inside.parts[0] in FOLDERS
        if in_taxonomy and file.path.is_symlink() and not _link_is_followed(file, place, findings):
            continue
        if inside.name.lower() in MISSPELT and _counts(file, inside, findings):
            leaves.append(file)
    return sorted(leaves, key=lambda file: file.leaf)


def _counts(file: QnaFile, inside: PurePosixPath, findings: Findings) -> bool:
    """Tell whether a file is a leaf's; warn of one that only looks like it."""
    if inside.parts[0] not in FOLDERS or len(inside.parts) == 1:
        findings.warn(
            Position(file.shown),
            f"this file is not read: it is not in {' or '.join(FOLDERS)}",
            code="not-a-leaf",
            suggestion=f"move it below {FOLDERS[0]} or {FOLDERS[1]}",
        )
        return False
    if inside.name != FILE_NAME:
        findings.warn(
            Position(file.shown),
            f"this file is not read: it is not called {FILE_NAME}",
            code="not-a-leaf",
            suggestion=f"rename it to {FILE_NAME}",
        )
        return False
    if not inside.as_posix().isprintable():
        findings.error(
            Position(repr(file.shown)),
            "this path has characters that cannot be printed",
            code="path",
            suggestion="rename the folder, with letters in UTF-8",
        )
        return False
    return True


def _link_is_followed(file: QnaFile, place: Place, findings: Findings) -> bool:
    """Tell whether a symbolic link is to be read; note what is wrong with one that is not."""
    where = Position(file.shown)
    try:
        target = file.path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
        if file.path.name.lower() in MISSPELT:
            findings.error(where, "this symbolic link leads nowhere", code="broken-link")
        return False
    if not target.is_relative_to(place.root):
        if target.is_dir() or file.path.name.lower() in MISSPELT:
            findings.error(
                where,
                f"this symbolic link leads out of the taxonomy, to {target}",
                code="link-leads-out",
                suggestion="put the file itself here",
            )
        return False
    if target.is_dir():
        findings.warn(
            where,
            f"this symbolic link to the folder {target} is not followed",
            code="link-to-folder",
            suggestion="its leaves are read where they stand",
        )
        return False
    return True
