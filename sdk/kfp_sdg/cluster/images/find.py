"""Finds the images that manifests, compiled pipelines and Containerfiles name, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

import yaml

from kfp_sdg.errors import Position
from kfp_sdg.spec.yaml_nodes import compose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_NODES = 1_000_000
"""The most nodes of a document; our largest compiled pipeline has 12,000."""

_MAX_DEPTH = 200

_PREAMBLE = re.compile(r"(?:[ \t]*(?:[%#].*)?\n)*")
"""What may stand before the first document: directives and comments."""

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
"""Where a YAML document begins: by YAML's grammar no other text may have this at a line's start."""

_CONTAINERFILE = re.compile(r"(Containerfile|Dockerfile)(\..+)?|.+\.(Containerfile|Dockerfile)")
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.I)
_COPY = re.compile(r"\s*COPY\s+(?:--\S+\s+)*?--from=(?P<image>\S+/\S+)", re.I)
_ARGUMENT = re.compile(r"\s*ARG\s+\w*IMAGE\w*=[\"']?(?P<image>[^\s\"']+)", re.I)

_MODEL_SCHEMES = ("oci://", "oci+native://", "oci+fetch://")
"""KServe's schemes for a model in an image; see ``pkg/controller/v1beta1`` of kserve/kserve."""

Entries: TypeAlias = "Mapping[str, yaml.Node]"


class Naming(Enum):
    """In what way a file names an image."""

    RUN = "run"
    """It is pulled as it is written."""

    MODEL = "model"
    """It holds a model's weights, and often is the user's own."""

    REPLACED = "replaced"
    """An entry of kustomize's ``images``; a name without a tag leaves the tag as it is."""


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image that a file names.

    Attributes:
        text: The name as it is written; of kustomize's ``images`` what comes out.
        where: Its place.
        naming: In what way it is named.
        original: The name that kustomize replaces, where it is replaced by another name.
    """

    text: str
    where: Position
    naming: Naming = Naming.RUN
    original: str | None = None


def is_containerfile(name: str) -> bool:
    """Tell whether a file is a Containerfile by its name."""
    return _CONTAINERFILE.fullmatch(name) is not None


def find_images(text: str, file: str) -> Iterator[NamedImage]:
    """Yield the images that a file names, in its order.

    Args:
        text: The file's text: YAML, JSON or a Containerfile.
        file: Its path, for messages; the last part tells a Containerfile and a kustomization.

    Raises:
        SpecError: The text is not YAML.
    """
    if is_containerfile(PurePath(file).name):
        yield from _in_containerfile(text, file)
    else:
        yield from _in_yaml(text, file)


def _in_containerfile(text: str, file: str) -> Iterator[NamedImage]:
    stages = {"scratch"}
    for number, line in enumerate(text.split("\n"), start=1):
        found = _FROM.match(line) or _ARGUMENT.match(line) or _COPY.match(line)
        if found is None:
            continue
        image = found["image"]
        if image not in stages and "$" not in image:
            yield NamedImage(image, Position(file, number, found.start("image") + 1))
        if found.re is _FROM and found["stage"]:
            stages.add(found["stage"])


def _in_yaml(text: str, file: str, first_line: int = 0) -> Iterator[NamedImage]:
    starts = [found.start() for found in _DOCUMENT.finditer(text)]
    if not starts or not _PREAMBLE.fullmatch(text[: starts[0]]):
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = _DOCUMENT.sub("   ", text[start:end])
        lines = first_line + text.count("\n", 0, start)
        # Lines before it keep the places of its nodes those in the file.
        root = compose("\n" * lines + part, file, max_nodes=_MAX_NODES, max_depth=_MAX_DEPTH)
        if root is not None:
            yield from _Finder(file, root).images()


class _Finder:
    """Goes through one document; what aliases stand for is looked at once."""

    def __init__(self, file: str, root: yaml.Node) -> None:
        self.file = file
        self.root = root
        self.seen: set[int] = set()
        kind = _text(_entries(root).get("kind"))
        name = PurePath(file).name
        self.kustomization = kind in ("Kustomization", "Component") or name.startswith(
            "kustomization."
        )
        self.image_set = kind == "ImageSetConfiguration"

    def images(self) -> Iterator[NamedImage]:
        yield from self._below(self.root)

    def _below(self, node: yaml.Node) -> Iterator[NamedImage]:
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from self._below(item)
        elif isinstance(node, yaml.MappingNode):
            entries = _entries(node)
            yield from self._in_pair(entries)
            for key, value in entries.items():
                yield from self._in_entry(key, value)
                yield from self._below(value)

    def _in_entry(self, key: str, value: yaml.Node) -> Iterator[NamedImage]:
        text = _text(value)
        if key == "image" and text:
            yield self._named(value)
        elif key == "image":
            yield from self._named_under("reference", value)  # a volume that is an image
        elif key in ("storageUri", "uri"):
            yield from self._model(value)
        elif key == "images" and self.kustomization:
            for entry in _items(value):
                yield from self._in_replacement(_entries(entry))
        elif key == "additionalImages" and self.image_set:
            for entry in _items(value):
                yield from self._named_under("name", entry)
        elif key == "patch" and self.kustomization and getattr(value, "style", None) == "|":
            yield from self._in_patch(value)

    def _in_pair(self, entries: Entries) -> Iterator[NamedImage]:
        """Find an image that the other entries of a mapping make known as one."""
        value = entries.get("value")
        if value is None:
            return
        path = _text(entries.get("path")) if "op" in entries else ""
        related = _text(entries.get("name")).startswith("RELATED_IMAGE_")
        if _text(value) and (related or path.endswith("/image")):
            yield self._named(value)
        elif path.endswith(("/storageUri", "/uri")):
            yield from self._model(value)

    def _in_replacement(self, entries: Entries) -> Iterator[NamedImage]:
        """Find what an entry of kustomize's ``images`` makes of a name."""
        name_node = entries.get("name")
        name = _text(name_node)
        if name_node is None or not name:
            return
        tag, digest = _text(entries.get("newTag")), _text(entries.get("digest"))
        rest = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        new_node = entries.get("newName")
        if new_node is None or _text(new_node) in ("", name):
            yield NamedImage(name + rest, self._at(name_node), Naming.REPLACED)
        else:
            where = self._at(new_node)
            yield NamedImage(name, self._at(name_node), Naming.REPLACED)
            yield NamedImage(_text(new_node) + rest, where, Naming.REPLACED, original=name)

    def _in_patch(self, node: yaml.Node) -> Iterator[NamedImage]:
        """Find the images of a patch that is written as a text in a kustomization."""
        line = node.start_mark.line + 1
        for found in _in_yaml(_text(node), self.file, line):
            yield replace(found, where=Position(self.file, found.where.line))

    def _model(self, node: yaml.Node) -> Iterator[NamedImage]:
        text = _text(node)
        if text.startswith(_MODEL_SCHEMES):
            yield NamedImage(text.partition("://")[2], self._at(node), Naming.MODEL)

    def _named_under(self, key: str, node: yaml.Node) -> Iterator[NamedImage]:
        named = _entries(node).get(key)
        if named is not None and _text(named):
            yield self._named(named)

    def _named(self, node: yaml.Node) -> NamedImage:
        return NamedImage(_text(node), self._at(node))

    def _at(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)


def _entries(node: yaml.Node | None) -> Entries:
    """Return a mapping's values by key; nothing for other nodes."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    """Return a list's items; nothing for other nodes."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _text(node: yaml.Node | None) -> str:
    """Return a scalar's text; "" for other nodes."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
