"""What the tests of manifests share: where they are, and overlays on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "manifests"


def overlay(folder: Path, resources: Iterable[Path], **fields: Any) -> Path:
    """Write a kustomization on other folders, as a user would, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [os.path.relpath(resource, folder) for resource in resources]
    text = yaml.safe_dump({"resources": paths, **fields})
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    return folder


def named(objects: Iterable[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind by their names."""
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}
