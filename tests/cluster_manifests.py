"""What the tests of manifests share: where they are, and overlays on them."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cluster.checks import read_manifests
from kubectl import rendered_text

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "manifests"


def overlay(folder: Path, resources: Iterable[Path], **fields: Any) -> Path:
    """Write a kustomization on other folders, as a user would, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [relative_to(folder, resource) for resource in resources]
    text = yaml.safe_dump({"resources": paths, **fields})
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    return folder


@cache
def text_of(folder: Path) -> str:
    """Return what kubectl makes of a folder of the manifests, rendered once for all tests."""
    return rendered_text(folder)


@cache
def render_of(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a folder of the manifests; shared, so leave them as they are."""
    return read_manifests(text_of(folder))


def relative_to(folder: Path, path: Path) -> str:
    """Return a path as a kustomization in a folder has to write it."""
    return os.path.relpath(path, folder)


def named(objects: Iterable[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind by their names."""
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}


def kustomizations(root: Path = MANIFESTS) -> list[Path]:
    """Return every folder below another that can be applied as it is; no Component can."""
    folders = [file.parent for file in sorted(root.rglob("kustomization.yaml"))]
    return [folder for folder in folders if _kind(folder) == "Kustomization"]


def components() -> list[Path]:
    """Return every folder of manifests that changes what others bring."""
    folders = [file.parent for file in sorted(MANIFESTS.rglob("kustomization.yaml"))]
    return [folder for folder in folders if _kind(folder) == "Component"]


def _kind(folder: Path) -> str:
    text = (folder / "kustomization.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text).get("kind", "Kustomization"))
