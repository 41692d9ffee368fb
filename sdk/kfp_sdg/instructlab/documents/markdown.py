"""Markdown as blocks of lines: what may be cut where, with the text as it was written."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode


class BlockKind(StrEnum):
    """What a block is, as far as it matters for cutting it."""

    TEXT = "text"
    LINES = "lines"
    HEADING = "heading"
    TABLE = "table"
    FENCE = "fence"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of a document.

    Attributes:
        kind: What they are.
        lines: The lines as they were written, without blank ones at the ends.
        level: The level of a heading, from 1; 0 for others.
        parts: What a container (a list, a list's item, a quote) is made of, in order.
        apart: Whether a blank line is before it.
    """

    kind: BlockKind
    lines: tuple[str, ...]
    level: int = 0
    parts: tuple[Block, ...] = ()
    apart: bool = False

    @property
    def text(self) -> str:
        """The block's text."""
        return "\n".join(self.lines)


_CONTAINERS = {"bullet_list", "ordered_list", "list_item", "blockquote"}
_CODE = {"fence", "code_block"}
_KINDS = {
    "table": BlockKind.TABLE,
    "fence": BlockKind.FENCE,
    "code_block": BlockKind.LINES,
    "html_block": BlockKind.LINES,
}
_INLINE_RULES = ["inline", "text_join"]
"""What is inside of a paragraph is no matter here, and takes most of a parser's time."""

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TICKS_OR_COMMENT = re.compile(r"`+|<!--")


def parse_markdown(text: str) -> tuple[Block, ...]:
    """Return the blocks of a document, in order.

    Every line that holds something is in one of them, but for what a reader of the page does not
    see: comments, and metadata in YAML before the text (front matter).
    """
    from markdown_it.tree import SyntaxTreeNode

    lines = _without_front_matter(_plain_line_ends(text)).split("\n")
    root = SyntaxTreeNode(_parser().parse("\n".join(lines)))
    return _blocks(root.children, _without_comments(root, lines), 0, len(lines))


def _plain_line_ends(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"maxNesting": 100}).enable("table").disable(_INLINE_RULES)


def _without_front_matter(text: str) -> str:
    match = _FRONT_MATTER.match(text)
    if not match or not _is_mapping(match[1] or ""):
        return text
    return text[match.end() :]


def _is_mapping(text: str) -> bool:
    """Tell metadata from a text between two rules."""
    import yaml

    try:
        return isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


def _without_comments(root: SyntaxTreeNode, lines: Sequence[str]) -> list[str]:
    """Return as many lines, without the comments outside of code."""
    kept: list[str] = []
    code = [node.map for node in root.walk() if node.type in _CODE and node.map]
    for first, last in (*code, (len(lines), len(lines))):
        text = "\n".join(lines[len(kept) : first])
        if len(kept) < first:
            kept += _with_blank_comments(text).split("\n")
        kept += lines[len(kept) : last]
    return kept


def _with_blank_comments(text: str) -> str:
    """Return a text that has only the line ends of its comments; not of those in code spans."""
    kept: list[str] = []
    done = here = 0
    ticks = _ticks(text)
    last_end = text.rfind("-->")
    ends = [*(match.start() for match in re.finditer(r"\n[ \t]*\n", text)), len(text)]
    while match := _TICKS_OR_COMMENT.search(text, here):
        here = match.end()
        if match[0] != "<!--":
            equal = ticks[len(match[0])]
            place = bisect_left(equal, here)
            closing = equal[place] if place < len(equal) else len(text)
            # a code span ends in its paragraph, or is none
            if closing < ends[bisect_left(ends, here)]:
                here = closing + len(match[0])
        elif here <= last_end:
            end = text.index("-->", here) + len("-->")
            kept += [text[done : match.start()], "\n" * text.count("\n", here, end)]
            done = here = end
    return "".join((*kept, text[done:]))


def _ticks(text: str) -> dict[int, list[int]]:
    """Return where rows of backticks begin, by their length: a code span ends at an equal row."""
    found: dict[int, list[int]] = {}
    for match in re.finditer("`+", text):
        found.setdefault(len(match[0]), []).append(match.start())
    return found


def _blocks(
    nodes: Sequence[SyntaxTreeNode], lines: Sequence[str], start: int, end: int
) -> tuple[Block, ...]:
    """Return the blocks of the lines from ``start`` to ``end``.

    Lines between two nodes hold what makes no node of its own, as the target of a link.
    """
    found: list[Block] = []
    here = start
    for node in nodes:
        if node.map is None:
            continue
        first, last = max(node.map[0], here), min(node.map[1], end)
        found += _between(lines, here, first)
        found += _block(node, lines, first, last)
        here = max(here, last)
    return (*found, *_between(lines, here, end))


def _block(node: SyntaxTreeNode, lines: Sequence[str], first: int, last: int) -> list[Block]:
    kept = _trimmed(lines[first:last])
    if not kept:
        return []
    apart = _apart(lines, first)
    if node.type in _CONTAINERS:
        parts = _blocks(node.children, lines, first, last)
        return [Block(BlockKind.CONTAINER, kept, parts=parts, apart=apart)]
    if node.type == "heading":
        return [Block(BlockKind.HEADING, kept, int(node.tag.removeprefix("h")), apart=apart)]
    return [Block(_KINDS.get(node.type, BlockKind.TEXT), kept, apart=apart)]


def _between(lines: Sequence[str], first: int, last: int) -> list[Block]:
    kept = _trimmed(lines[first:last])
    blank = _apart(lines, first) or (first < last and not lines[first].strip())
    return [Block(BlockKind.LINES, kept, apart=blank)] if kept else []


def _apart(lines: Sequence[str], first: int) -> bool:
    return first > 0 and not lines[first - 1].strip()


def _trimmed(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines without blank ones at the ends."""
    first, last = 0, len(lines)
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return tuple(lines[first:last])
