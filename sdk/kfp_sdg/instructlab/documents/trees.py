"""The files of a repository at a commit, or of a plain folder."""

from __future__ import annotations

import os
import posixpath
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kfp_sdg.instructlab.git_commands import GitResult

_MOST_LINKS = 40
"""How many links in a row are followed, as many as Linux does."""


class LeadsOut(Exception):  # noqa: N818 - what happened, and nobody else's business
    """A symbolic link leads to nothing, or out of its tree."""


class Tree(Protocol):
    """Files by their paths."""

    @property
    def paths(self) -> Sequence[str]:
        """The path of every file and symbolic link, with ``/``, sorted."""

    @property
    def left_out(self) -> Sequence[str]:
        """What is not looked into: submodules, links to folders."""

    def file_behind(self, path: str) -> str:
        """Return the path of the file that a path leads to, itself if it is no link.

        Raises:
            LeadsOut: It is a link that leads out of the tree, or to nothing.
        """

    def on_disk(self, paths: Sequence[str]) -> dict[str, Path]:
        """Return where files can be read.

        Raises:
            StorageError: They cannot be had.
        """


@dataclass(frozen=True, slots=True)
class FolderTree:
    """A folder that is no repository, as it is now."""

    root: Path
    paths: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> FolderTree:
        """Look into a folder; links to folders are not followed, ``.git`` is not looked into."""
        found: list[str] = []
        linked: list[str] = []
        for here, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != ".git")
            inside = Path(here).relative_to(folder)
            found += [(inside / name).as_posix() for name in files]
            linked += [
                (inside / name).as_posix() for name in folders if os.path.islink(f"{here}/{name}")
            ]
        return cls(folder, tuple(sorted(found)), tuple(linked))

    def file_behind(self, path: str) -> str:
        """Follow a link as the operating system does."""
        root = self.root.resolve()
        try:
            target = (self.root / path).resolve(strict=True)
        except (OSError, RuntimeError):
            raise LeadsOut("leads to nothing") from None
        if not target.is_relative_to(root):
            raise LeadsOut("leads out of the folder")
        if not target.is_file():
            raise LeadsOut("leads to no file")
        return target.relative_to(root).as_posix()

    def on_disk(self, paths: Sequence[str]) -> dict[str, Path]:
        """Return the files where they are."""
        return {path: self.root / path for path in paths}


@dataclass(frozen=True, slots=True)
class GitTree:
    """What a repository has at a commit, read from its objects and not from a checkout.

    Attributes:
        git: Runs git in the repository.
        commit: The commit's full name.
        folder: Where its files are written when somebody needs them.
        partial: Whether the repository may lack files' contents, which have to be fetched.
    """

    git: Callable[..., GitResult]
    commit: str
    folder: Path
    partial: bool = False
    _files: Mapping[str, str] = field(default_factory=dict)
    _links: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, git: Callable[..., GitResult], commit: str, folder: Path, *, partial: bool = False
    ) -> GitTree:
        """Look into a commit.

        Raises:
            StorageError: The repository is damaged.
        """
        listed = _output(git("ls-tree", "-r", "-z", "--full-tree", commit)).split(b"\0")
        files: dict[str, str] = {}
        links: dict[str, str] = {}
        submodules: list[str] = []
        for line in filter(None, listed):
            about, _, name = line.partition(b"\t")
            mode, _, oid = about.decode().split(" ")
            path = name.decode(errors="replace")
            if not _is_plain(path):
                continue
            if mode == "120000":
                links[path] = oid
            elif mode == "160000":
                submodules.append(path)
            else:
                files[path] = oid
        return cls(git, commit, folder, partial, files, links, tuple(submodules))

    @property
    def paths(self) -> Sequence[str]:
        """The path of every file and link."""
        return sorted({*self._files, *self._links})

    def file_behind(self, path: str) -> str:
        """Follow links inside the tree."""
        for _ in range(_MOST_LINKS):
            if path in self._files:
                return path
            if path not in self._links:
                raise LeadsOut("leads to nothing")
            target = _output(self.git("cat-file", "blob", self._links[path]))
            joined = posixpath.join(posixpath.dirname(path), target.decode(errors="replace"))
            path = posixpath.normpath(joined)
            if path.startswith(("/", "../")) or path == "..":
                raise LeadsOut("leads out of the repository")
        raise LeadsOut("leads in a circle")

    def on_disk(self, paths: Sequence[str]) -> dict[str, Path]:
        """Write files that are not there yet."""
        places = {path: self.folder.joinpath(*path.split("/")) for path in paths}
        missing = [path for path, place in places.items() if not place.exists()]
        if missing and self.partial:
            self._fetch(self._files[path] for path in missing)
        for path in missing:
            _write(places[path], _output(self.git("cat-file", "blob", self._files[path])))
        return places

    def _fetch(self, oids: Iterable[str]) -> None:
        """Fetch many files' contents at once; git alone would fetch one after the other."""
        given = "".join(f"{oid}\n" for oid in sorted(set(oids))).encode()
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none")
        noop = ("-c", "fetch.negotiationAlgorithm=noop")
        _output(self.git(*noop, "fetch", *options, "--stdin", "origin", given=given))


def _is_plain(path: str) -> bool:
    """Tell whether a path stays below the folder that it is written to."""
    return not any(name in ("", ".", "..") for name in path.split("/"))


def _output(result: GitResult) -> bytes:
    if result.status:
        raise StorageError(f"git failed: {result.last_words}")
    return result.output


def _write(place: Path, content: bytes) -> None:
    """Write a file that is whole as soon as it is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, place)
