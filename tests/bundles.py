"""What the tests of the bundle share: how OpenShift AI's operator and API server read it."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LIST = "managed-pipelines.json"

# controllers/managed_pipelines_fetcher.go of opendatahub-io/data-science-pipelines-operator
_LAYER_PATH = "app/managed-pipelines.json"
_MAX_LIST = 1 << 20

# backend/src/apiserver/{config/config.go,common/const.go} of opendatahub-io/data-science-pipelines
_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")
_MAX_PIPELINE = 32 << 20


def list_in_layers(layers: list[bytes]) -> bytes:
    """Return the list as the operator finds it: in the last layer that has its path.

    Args:
        layers: Uncompressed tar files, the oldest first.
    """
    for layer in reversed(layers):
        found, deleted = None, False
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            for member in tar:
                deleted |= member.name in ("app/.wh.managed-pipelines.json", "app/.wh..wh..opq")
                if member.name == _LAYER_PATH:
                    assert member.size <= _MAX_LIST
                    file = tar.extractfile(member)
                    assert file is not None
                    found = file.read()
        if found is not None:
            return found
        assert not deleted
    raise AssertionError(f"no layer has {_LAYER_PATH}")


def names_in(content: bytes) -> list[str]:
    """Return the pipelines' names as the operator reads them, for spec.managedPipelines."""
    entries = json.loads(content)
    assert isinstance(entries, list)
    for entry in entries:
        assert set(entry) == {"name", "description", "path", "stability"}
        assert all(isinstance(value, str) for value in entry.values())
    return [entry["name"] for entry in entries]


def uploads(volume: Path) -> dict[str, str]:
    """Return what the API server uploads from the volume: each pipeline's YAML by its name."""
    loaded: dict[str, str] = {}
    for entry in json.loads((volume / LIST).read_bytes()):
        name: Any = entry["name"]
        assert name
        assert name not in loaded
        assert _NAME.match(name)
        file = (volume / f"{name}.yaml").resolve(strict=True)
        assert file.is_relative_to(volume.resolve())
        assert file.stat().st_size <= _MAX_PIPELINE
        loaded[name] = file.read_text()
    return loaded
