"""The CRDs in ``../shared/data/crds``, parsed when a kind is first asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CRDS = Path(__file__).parents[4] / "shared" / "data" / "crds"

needs_crds = pytest.mark.skipif(not CRDS.is_dir(), reason="needs ../shared/data/crds")
"""For tests that check against CRDs; they carry ``@pytest.mark.shared`` too."""

_KIND = re.compile(r"^    kind: (\S+)$", re.MULTILINE)
_GROUP = re.compile(r"^  group: (\S+)$", re.MULTILINE)

_CUT_DOWN = frozenset({("monitoring.coreos.com", "ServiceMonitor")})
"""Kinds whose CRD there is a stand-in for other people's tests; ours are in other_kinds.yaml."""


@dataclass(frozen=True, slots=True)
class KindSchema:
    """What is known about one version of a kind.

    Attributes:
        schema: Its structural schema.
        namespaced: Whether its objects live in namespaces.
    """

    schema: dict[str, Any]
    namespaced: bool


def crd_schema(api_version: str, kind: str) -> KindSchema | None:
    """Return the schema of a kind.

    Args:
        api_version: "serving.kserve.io/v1beta1".
        kind: "InferenceService".

    Returns:
        None where no CRD there defines it in that version, or where there are no CRDs.
    """
    group, _, version = api_version.rpartition("/")
    path = _files().get((group, kind))
    if path is None:
        return None
    return _parsed(path)[group, kind].get(version)


@lru_cache
def _files() -> dict[tuple[str, str], Path]:
    """Return which file defines which kind; a search in text, since parsing all takes seconds."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(CRDS.glob("*.yaml")):
        for document in re.split(r"^---$", path.read_text(), flags=re.MULTILINE):
            group, kind = _GROUP.search(document), _KIND.search(document)
            if group and kind:
                found[group[1], kind[1]] = path
    return {key: path for key, path in found.items() if key not in _CUT_DOWN}


@lru_cache
def _parsed(path: Path) -> dict[tuple[str, str], dict[str, KindSchema]]:
    """Return the kinds of a file and the schemas of their served versions."""
    kinds = {}
    for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
        if document and document["kind"] == "CustomResourceDefinition":
            spec = document["spec"]
            kinds[spec["group"], spec["names"]["kind"]] = {
                version["name"]: KindSchema(
                    version["schema"]["openAPIV3Schema"], spec["scope"] == "Namespaced"
                )
                for version in spec["versions"]
                if version["served"]
            }
    return kinds
