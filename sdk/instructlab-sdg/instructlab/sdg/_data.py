"""The pipelines and prompt configs that ship: kfp-sdg's files in InstructLab's packages."""

from __future__ import annotations

import sys
from importlib.abc import Loader
from importlib.resources.abc import TraversableResources
from typing import TYPE_CHECKING, Any

from kfp_sdg.pipelines import SHIPPED_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


def serve(package: str, *place: str) -> None:
    """Let ``importlib.resources.files`` of a package be a folder of kfp-sdg's.

    Args:
        package: The package, called from its ``__init__.py``.
        *place: Where the folder is among kfp-sdg's pipelines of InstructLab's.
    """
    spec = sys.modules[package].__spec__
    if spec is not None:
        spec.loader = _Loader(spec.loader, SHIPPED_FOLDER.joinpath("instructlab", *place))


class _Loader(Loader):
    """A package's loader that has its resources elsewhere."""

    def __init__(self, loader: Any, folder: Path) -> None:
        self._loader = loader
        self._folder = folder

    def get_resource_reader(self, name: str) -> TraversableResources:
        """Return what reads the package's resources."""
        return _Folder(self._folder)

    def __getattr__(self, name: str) -> Any:
        """Return what the loader has for everything else."""
        return getattr(self._loader, name)


class _Folder(TraversableResources):
    """The resources in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Path:
        """Return the folder."""
        return self._folder
