"""What a checker finds wrong in a manifest, and how manifests are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a cluster would refuse.

    Attributes:
        where: The object, as kubectl writes it: "InferenceService/demo-teacher".
        path: The field in it: ".spec.predictor.tolerations".
        message: What is wrong.
    """

    where: str
    path: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.where} {self.path or '.'}: {self.message}"


def name_of(manifest: Manifest) -> str:
    """Return ``Kind/name``."""
    metadata = manifest.get("metadata")
    name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
    return f"{manifest.get('kind', '?')}/{name}"


def read_manifests(text: str) -> list[Manifest]:
    """Parse the output of kustomize, or any file of manifests.

    Args:
        text: YAML documents.

    Returns:
        The objects, those of a ``List`` one by one.

    Raises:
        yaml.YAMLError: The text is not YAML, or a mapping has a key twice: the API server refuses
            that, PyYAML takes the last.
    """
    manifests = [m for m in yaml.load_all(text, Loader=_Loader) if m is not None]
    return [one for manifest in manifests for one in _flat(manifest)]


def _flat(manifest: Manifest) -> Iterator[Manifest]:
    """Yield an object, or those of a list."""
    if manifest.get("kind") == "List":
        yield from manifest["items"]
    else:
        yield manifest


class _Loader(yaml.CSafeLoader):  # libyaml: ten times as fast, and safe
    """A safe loader that does not let a key pass twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a second value for a key."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
