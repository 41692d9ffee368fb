"""YAML text becomes a tree of nodes, within limits that keep hostile text harmless.

PyYAML's own composer recurses in C without a limit, so that deeply nested text ends the process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.spec.yaml_scalars import PREFIX, ProseResolver, ScalarResolver, tag_error

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

COLLECTION_TAGS = (None, "!", PREFIX + "map", PREFIX + "seq")


def fail(
    where: Position,
    message: str,
    *,
    code: str,
    expected: str | None = None,
    suggestion: str | None = None,
) -> NoReturn:
    """Raise a ``SpecError`` with one problem; see ``Problem`` for the arguments."""
    raise SpecError(Problem(message, where, None, expected, suggestion, code))


def compose(
    text: str, file: str, *, max_nodes: int, max_depth: int, prose: bool = False
) -> yaml.Node | None:
    """Return the root node of a YAML text with one document, None for an empty text.

    An alias is the very node it refers to, so the result is a graph without cycles.

    Args:
        text: The text.
        file: The path to show in messages.
        max_nodes: The most nodes, aliases not written out.
        max_depth: The deepest nesting.
        prose: The document holds texts: ``1e5`` is one.

    Raises:
        SpecError: The text is not YAML, or goes beyond a limit.
    """
    try:
        return _Composer(text, file, max_nodes, max_depth, prose).document()
    except yaml.YAMLError as error:
        raise SpecError(_syntax_problem(error, text, file)) from None


class _Composer:
    def __init__(self, text: str, file: str, max_nodes: int, max_depth: int, prose: bool) -> None:
        self.file = file
        self.room = max_nodes
        self.max_depth = max_depth
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=LOADER))
        # PyYAML's stubs leave resolve() untyped.
        self.resolver: Any = ProseResolver() if prose else ScalarResolver()
        self.anchors: dict[str, yaml.Node | None] = {}

    def document(self) -> yaml.Node | None:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self.events), 0)
        next(self.events)  # the end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            fail(
                self._at(event),
                "a second YAML document begins here",
                code="several-documents",
                expected="one document in a file",
                suggestion="remove the line ---",
            )
        return root

    def _at(self, event: Any) -> Position:
        return Position(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> yaml.Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self.room -= 1
        if depth > self.max_depth or self.room < 0:
            limit = f"deeper than {self.max_depth} levels" if self.room >= 0 else "too large"
            fail(self._at(event), f"this document is {limit}", code="too-deep")
        if event.anchor:
            self.anchors[event.anchor] = None  # not finished: an alias to it would be a cycle
        node = self._collection(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> yaml.Node:
        if event.anchor not in self.anchors:
            fail(
                self._at(event),
                f"the alias *{event.anchor} has no anchor &{event.anchor} before it",
                code="alias",
                suggestion="a text that begins with * needs quotes around it",
            )
        node = self.anchors[event.anchor]
        if node is None:
            fail(self._at(event), f"the alias *{event.anchor} contains itself", code="alias-bomb")
        return node

    def _collection(self, event: Any, depth: int) -> yaml.Node:
        start: Any = event.start_mark
        if isinstance(event, yaml.ScalarEvent):
            tag = event.tag
            if tag is None or tag == "!":
                tag = self.resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
            return yaml.ScalarNode(tag, event.value, start, style=event.style)
        if event.tag not in COLLECTION_TAGS:
            error = tag_error(event.tag)
            fail(self._at(event), str(error), code=error.code, suggestion=error.suggestion)
        items: list[Any] = []
        if isinstance(event, yaml.SequenceStartEvent):
            while not isinstance(child := next(self.events), yaml.SequenceEndEvent):
                items.append(self._node(child, depth + 1))
            return yaml.SequenceNode(PREFIX + "seq", items, start)
        while not isinstance(child := next(self.events), yaml.MappingEndEvent):
            key = self._node(child, depth + 1)
            items.append((key, self._node(next(self.events), depth + 1)))
        return yaml.MappingNode(PREFIX + "map", items, start)


HINTS = {
    "mapping values are not allowed": 'a text with ": " in it needs quotes around it',
    "cannot start any token": "a text that begins with this character needs quotes around it",
    "did not find expected key": "check the indentation of this line and the ones before it",
    "did not find expected '-' indicator": "check the indentation of this line",
    "could not find expected ':'": "check the indentation, and that a key ends with a colon",
    "unexpected end of stream": "a quote is opened and never closed",
}


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # the reader's error: a character that YAML forbids
        return _forbidden_character(error, text, file)
    lines = text.split("\n")
    for row in range(mark.line, max(mark.line - 3, -1), -1):
        indent = re.match(r"[ \t]*", lines[row] if row < len(lines) else "")
        if indent and "\t" in indent.group():
            return Problem(
                "a tab indents this line",
                Position(file, row + 1, indent.group().index("\t") + 1),
                expected="spaces",
                suggestion="replace the tab by spaces",
                code="tab",
            )
    what = getattr(error, "problem", None) or str(error)
    hint = next((hint for part, hint in HINTS.items() if part in what), None)
    return Problem(
        f"this is not valid YAML: {what}",
        Position(file, mark.line + 1, mark.column + 1),
        suggestion=hint,
        code="yaml-syntax",
    )


def _forbidden_character(error: yaml.YAMLError, text: str, file: str) -> Problem:
    found = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if found is None:
        return Problem(f"this is not valid YAML: {error}", Position(file), code="yaml-syntax")
    before = text[: found.start()]
    return Problem(
        f"the character U+{ord(found.group()):04X} is not allowed in YAML",
        Position(file, before.count("\n") + 1, len(before) - before.rfind("\n")),
        code="yaml-syntax",
    )
