"""Kinds that neither the CRDs at hand nor Kubernetes itself has, by small schemas of our own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from cluster.checks.crds import KindSchema

_FILE = Path(__file__).with_name("other_kinds.yaml")


def other_schema(api_version: str, kind: str) -> KindSchema | None:
    """Return our schema of a kind, None where there is none."""
    known = _kinds().get(f"{api_version} {kind}")
    if known is None:
        return None
    top = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    metadata = {"metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    properties = {**top, **metadata, **known["fields"]}
    return KindSchema({"type": "object", "properties": properties}, known.get("namespaced", False))


def is_file(api_version: str, kind: str) -> bool:
    """Tell whether something that looks like an object is a tool's configuration file."""
    return bool(_kinds().get(f"{api_version} {kind}", {}).get("file"))


@lru_cache
def _kinds() -> dict[str, Any]:
    """Return the file."""
    kinds: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return kinds
