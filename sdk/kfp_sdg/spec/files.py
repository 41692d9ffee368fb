"""The files that blocks refer to: where they are looked for, and where they may not be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.schema_file import ITERATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kfp_sdg.spec.model import NodePath

SAMPLE_POPULATOR = "SamplePopulatorBlock"


class FileNotAllowedError(Exception):
    """A path leads out of the folders that a pipeline may read."""


class FileMissingError(Exception):
    """There is no such file in any of the folders.

    Attributes:
        nearest: A file's path that is like the one asked for, or None.
    """

    def __init__(self, nearest: str | None) -> None:
        super().__init__(nearest)
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that a block's config names.

    Attributes:
        path: The path by which the block asks for the file.
        node: Where the config names it, relative to the config.
    """

    path: str
    node: NodePath


def file_references(block_type: str, config: Mapping[str, Any]) -> Iterator[FileReference]:
    """Yield the files that a block's config names.

    ``config_path`` holds one path. ``config_paths`` holds paths, or lists that begin with one
    (ConditionalLLMBlock's pairs). IterBlock has the keys of its inner block beside its own. A
    custom block's config is read the same way.

    Args:
        block_type: The registered name of the block type.
        config: The block's settings; values of a wrong kind are passed over.
    """
    if block_type == ITERATED:
        block_type = config.get("block_type", "")
    path = config.get("config_path")
    if isinstance(path, str):
        yield FileReference(path, ("config_path",))
    paths = config.get("config_paths")
    post_fix = config.get("post_fix") if block_type == SAMPLE_POPULATOR else None
    for index, entry in enumerate(paths if isinstance(paths, list) else ()):
        node: NodePath = ("config_paths", index)
        if isinstance(entry, list) and entry:
            entry, node = entry[0], (*node, 0)
        if isinstance(entry, str):
            yield FileReference(post_fixed(entry, post_fix), node)


def post_fixed(path: str, post_fix: Any) -> str:
    """Return the path that SamplePopulatorBlock loads for a path of its ``config_paths``.

    With the post-fix ``p`` it is ``dir/x_p.yaml`` for ``dir/x.yaml``: InstructLab's rule. It is
    also the key of the file in ``PipelineSpec.files``.
    """
    if not isinstance(post_fix, str) or not post_fix:
        return path
    return path.replace(".yaml", f"_{post_fix}.yaml")


class FileFinder:
    """Finds the files of one pipeline.

    A relative path is looked for in the pipeline's folder, then in the config roots, then in the
    pipelines that ship with kfp-sdg. A file may only stand in one of these, or in a folder named
    ``configs`` in, beside or above the pipeline's folder (InstructLab's layout has
    ``../../configs/…``); symbolic links are followed before that is judged.
    """

    def __init__(self, folder: Path, config_roots: Iterable[str | Path] = ()) -> None:
        """Fix the folders.

        Args:
            folder: The pipeline's folder.
            config_roots: Further folders, in the order in which they are searched.
        """
        shipped = Path(str(files("kfp_sdg.pipelines")))  # data only: spec knows no code above it
        roots = [Path(root) for root in config_roots]
        home = folder.resolve()
        self._search = (folder, *roots, shipped / "instructlab")
        # The `configs` folders are not resolved: one that is a link would open what it points to.
        above = (home, *home.parents[:2])
        self._allowed = (
            home,
            *(parent / "configs" for parent in above),
            *(root.resolve() for root in (*roots, shipped)),
        )

    def find(self, path: str) -> Path:
        """Return a file's place.

        Args:
            path: The path as the pipeline has it.

        Raises:
            FileNotAllowedError: It leads out of the allowed folders.
            FileMissingError: It is not there.
        """
        candidates = [Path(os.path.normpath(folder / path)) for folder in self._search]
        allowed = [
            found
            for folder, found in zip(self._search, candidates, strict=True)
            if self._is_allowed(folder / path)
        ]
        for candidate in allowed:
            if _is_file(candidate):
                return candidate
        if candidates[0] not in allowed:
            raise FileNotAllowedError(path)
        raise FileMissingError(self._nearest(path, allowed))

    def searched(self) -> str:
        """Return the folders that are searched, for messages."""
        return ", ".join(str(folder) for folder in self._search)

    def _is_allowed(self, candidate: Path) -> bool:
        try:
            real = candidate.resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links, a null byte
            return False
        return any(real.is_relative_to(folder) for folder in self._allowed)

    def _nearest(self, path: str, candidates: list[Path]) -> str | None:
        for candidate in candidates:
            folder = candidate.parent
            names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
            if found := get_close_matches(candidate.name, names, n=1):
                return str(Path(path).parent / found[0])
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be read
        return False
