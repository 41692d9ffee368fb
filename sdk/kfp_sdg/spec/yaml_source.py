"""YAML text becomes JSON values, with the position of every node.

YAML is read as PyYAML's safe loader reads it, which is how InstructLab's files are meant, except
where that surprises people: dates and times of day stay text, ``1e-3`` is a number, and what JSON
cannot hold (NaN, infinity, keys that are not text, tags) is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from kfp_sdg.errors import Position
from kfp_sdg.spec.model import NodePath, SourceMap
from kfp_sdg.spec.yaml_nodes import compose, fail
from kfp_sdg.spec.yaml_scalars import ScalarError, scalar_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kfp_sdg.spec.problems import Findings

MAX_BYTES = 4 * 1024 * 1024
"""The largest file that is read. InstructLab's largest is 7 KB."""

MAX_NODES = 100_000
"""The most nodes a document may have once its aliases are written out."""

MAX_DEPTH = 50
"""The deepest nesting of a document once its aliases are written out."""

BLOCK_STYLES = ("|", ">")
MERGE_KEY = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document that is a mapping.

    Attributes:
        content: The document's JSON values.
        source: The position of every node.
        lines: The file's lines.
        texts: The node of each text, by path.
    """

    content: dict[str, Any]
    source: SourceMap
    lines: tuple[str, ...] = field(repr=False)
    texts: Mapping[NodePath, yaml.ScalarNode] = field(repr=False)

    def line_of_text(self, path: NodePath, line: int, marks: tuple[str, ...] = ()) -> Position:
        """Return where a line of a text stands in the file.

        Exact for literal texts (``|``). A folded or quoted text does not keep its lines, so that
        only its first one is known.

        Args:
            path: The text's node.
            line: The line inside the text, counted from 1.
            marks: The column is that of the first of these texts on the line; where none is there,
                that of the line's first character.
        """
        node = self.texts.get(path)
        if node is None:
            return self.source.at(*path)
        row = node.start_mark.line
        if node.style == "|":
            row += line
        elif node.style == ">":
            row += 1
        row = min(row, len(self.lines) - 1)
        text = self.lines[row]
        start = node.start_mark.column if row == node.start_mark.line else 0
        found = [column for mark in marks if (column := text.find(mark, start)) >= 0]
        column = min(found, default=start or len(text) - len(text.lstrip()))
        return Position(self.source.root.file, row + 1, column + 1)


def read_yaml(
    path: Path, *, kind: str, findings: Findings, file: str | None = None, prose: bool = False
) -> Document:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.
        kind: What the file is, for messages ("pipeline").
        findings: Takes what is wrong or doubtful but does not stop the reading.
        file: The path to show in messages; ``path`` itself by default.
        prose: The file holds texts rather than settings: ``1e5`` is text, as for PyYAML.

    Returns:
        The document.

    Raises:
        SpecError: The file cannot be read as YAML at all.
    """
    file = file or str(path)
    where = Position(file)
    try:
        if not path.is_file():
            if path.exists():
                fail(where, f"this {kind} is not a regular file", code="not-a-file")
            what = kind if kind.endswith(" file") else f"{kind} file"
            fail(where, f"there is no such {what}", code="missing-file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            fail(
                where,
                f"this {kind} has {size:,} bytes",
                code="too-large",
                expected=f"at most {MAX_BYTES:,} bytes",
            )
        raw = path.read_bytes()
    except OSError as error:
        fail(where, f"this {kind} cannot be read: {error.strerror or error}", code="unreadable")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        fail(
            Position(file, before.count(b"\n") + 1, column),
            f"the byte 0x{raw[error.start]:02x} is not UTF-8",
            code="not-utf8",
            suggestion="save the file in the encoding UTF-8",
        )
    return parse_yaml(text, file=file, kind=kind, findings=findings, prose=prose)


def parse_yaml(
    text: str, *, file: str, kind: str, findings: Findings, prose: bool = False
) -> Document:
    """Read YAML text that holds a mapping.

    Args:
        text: The text; at most ``MAX_BYTES`` characters.
        file: The path to show in messages.
        kind: What the text is, for messages ("pipeline").
        findings: Takes what is wrong or doubtful but does not stop the reading.
        prose: The text holds texts rather than settings: ``1e5`` is one, as for PyYAML.

    Returns:
        The document.

    Raises:
        SpecError: The text is not YAML, or not a mapping.
    """
    if len(text) > MAX_BYTES:
        fail(
            Position(file),
            f"this {kind} has {len(text):,} characters",
            code="too-large",
            expected=f"at most {MAX_BYTES:,} bytes",
        )
    root = compose(text, file, max_nodes=MAX_NODES, max_depth=MAX_DEPTH, prose=prose)
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value in ("", "~", "null")):
        fail(Position(file), f"this {kind} is empty", code="empty", expected="a mapping")
    if not isinstance(root, yaml.MappingNode):
        found = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        fail(
            Position(file, root.start_mark.line + 1, root.start_mark.column + 1),
            f"this {kind} is {found}",
            code="not-a-mapping",
            expected="a mapping (lines of `key: value`)",
        )
    builder = _Builder(file, findings)
    content = builder.value(root, (), depth=0)
    source = SourceMap(builder.position(root), builder.nodes, builder.written)
    return Document(content, source, tuple(text.split("\n")), builder.texts)


class _Builder:
    """Turns nodes into values; what an alias stands for is written out, up to a limit."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.nodes: dict[NodePath, Position] = {}
        self.texts: dict[NodePath, yaml.ScalarNode] = {}
        self.written: dict[NodePath, str] = {}
        self._count = 0

    def position(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def value(self, node: yaml.Node, path: NodePath, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            fail(
                self.position(node),
                "written out, this document's aliases (`*name`) make it "
                + ("too deep" if depth > MAX_DEPTH else f"larger than {MAX_NODES:,} nodes"),
                code="alias-bomb",
                suggestion="write fewer aliases of aliases",
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        values = []
        for index, item in enumerate(node.value):
            self.nodes[*path, index] = self.position(item)
            values.append(self.value(item, (*path, index), depth + 1))
        return values

    def _scalar(self, node: yaml.ScalarNode, path: NodePath) -> Any:
        try:
            value = scalar_value(node)
        except ScalarError as error:
            self.findings.error(
                self.position(node), str(error), code=error.code, suggestion=error.suggestion
            )
            self._give_up(path)
            return None
        if isinstance(value, str):
            self.texts[path] = node
        elif value is not None:
            self.written[path] = node.value
        if isinstance(value, bool) and node.value.lower() not in ("true", "false"):
            self.findings.warn(
                self.position(node),
                f"{node.value} without quotes means {str(value).lower()} in YAML",
                code="word-is-boolean",
                suggestion=f'write "{node.value}" if you mean the word',
            )
        return value

    def _mapping(self, node: yaml.MappingNode, path: NodePath, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[yaml.MappingNode] = []
        for key_node, value_node in node.value:
            if key_node.tag == MERGE_KEY:
                merged += self._merge_sources(value_node)
                continue
            key = self._key(key_node)
            if key is None:
                self._give_up(path)
                continue
            if key in result:
                first = self.nodes[*path, key]
                self.findings.error(
                    self.position(key_node),
                    f"the key {key!r} is written twice",
                    code="duplicate-key",
                    suggestion=f"the first one is on line {first.line}",
                )
                continue
            self._entry(result, key, key_node, value_node, path, depth)
        for source in merged:  # YAML's merge key: keys written here win, then earlier sources
            for key_node, value_node in source.value:
                key = self._key(key_node)
                if key is not None and key not in result:
                    self._entry(result, key, key_node, value_node, path, depth)
        return result

    def _give_up(self, path: NodePath) -> None:
        if path in self.nodes:
            self.findings.unreadable.add(self.nodes[path])

    def _entry(
        self,
        result: dict[str, Any],
        key: str,
        key_node: yaml.Node,
        value_node: yaml.Node,
        path: NodePath,
        depth: int,
    ) -> None:
        self.nodes[*path, key] = self.position(key_node)
        result[key] = self.value(value_node, (*path, key), depth + 1)

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.findings.error(
                self.position(node),
                "a key is not text",
                code="key-not-text",
                suggestion="a text that begins with {{ or [ needs quotes around it",
            )
            return None
        try:
            key = scalar_value(node)
        except ScalarError:
            key = None
        if not isinstance(key, str):
            self.findings.error(
                self.position(node),
                f"the key {node.value} is not text",
                code="key-not-text",
                suggestion=f'write "{node.value}"',
            )
            return None
        return key

    def _merge_sources(self, node: yaml.Node) -> list[yaml.MappingNode]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        mappings = [item for item in nodes if isinstance(item, yaml.MappingNode)]
        if len(mappings) < len(nodes):
            self.findings.error(
                self.position(node),
                "only mappings can be merged with <<",
                code="merge",
                expected="a mapping or a list of mappings",
            )
        return mappings
