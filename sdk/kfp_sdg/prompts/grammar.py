"""Grammars: GBNF under which a model cannot write an answer that does not parse.

llama.cpp and vLLM (xgrammar) both read this form. A grammar is derived from the tags of a prompt
config: literal tags, and between them text in which no tag can begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Trie: TypeAlias = "dict[str, _Trie]"

CHARACTERS_PER_TOKEN = 3
"""Characters that a token stands for in plain text with its tags; English alone has about 4."""

FEWEST_CHARACTERS_PER_TOKEN = 2
"""The same for text that tokenizers like little; a weak model that repeats digits gets near it."""

SHORTEST_VALUE = 40
"""Characters that every value has room for, however many there are."""

ONE_LINE = 400
"""Characters under which a value stays on one line and has no sign that begins a tag: weak models
fill short values with empty lines and made-up tags."""

SPACES = " \n\r\t"

CHUNK = 100
"""Characters counted by one rule: long repetitions are nested, as llama.cpp refuses counts over
2000 and every repetition is written out inside a server."""


def derive_grammar(
    start_tags: Sequence[str],
    end_tags: Sequence[str],
    *,
    max_tokens: int,
    entries: int = 1,
) -> str | None:
    """Return a grammar whose texts a ``TagParser`` with these tags turns into rows.

    The length of a value is bounded so that its end tag comes before ``max_tokens`` are used up:
    the bound for a single row holds even for text of two characters per token. Of several rows
    only those are forced that surely fit, so that at worst the last one is cut. Where the end tag
    of a column is the start tag of the next, it is written once.

    Args:
        start_tags: The start tag of each output column, "" for none.
        end_tags: The end tag of each output column, "" for none.
        max_tokens: The longest answer, in tokens.
        entries: Rows wanted from one answer; more than one only counts with a single pair of tags.

    Returns:
        GBNF text with the rule ``root``, or None where any text parses.
    """
    pairs = [(start, end) for start, end in zip(start_tags, end_tags, strict=True) if start or end]
    if not pairs:
        return None
    fixed = sum(len(start) + len(end) for start, end in pairs) + 4 * len(pairs)
    surely = max_tokens * FEWEST_CHARACTERS_PER_TOKEN
    if entries > 1 and len(pairs) == 1 and all(pairs[0]):
        longest = max_tokens * CHARACTERS_PER_TOKEN // entries - fixed
        least = max(1, min(entries, surely // (fixed + SHORTEST_VALUE)))
        root = f"entry (gap entry){{{least - 1},{entries - 1}}}"
    else:
        longest = (surely - fixed) // len(pairs)
        root = "entry"
    longest = max(longest, SHORTEST_VALUE)
    piece, first = _text_without((tag for pair in pairs for tag in pair), longest < ONE_LINE)
    return "\n".join(
        (
            f"root ::= {root}",
            f"entry ::= {_entry(pairs)}",
            *_value(first, longest),
            f"piece ::= {piece}",
            r"gap ::= [ \n]{1,2}",
            "",
        )
    )


def _value(first: str, longest: int) -> list[str]:
    """Return the rules of a value that has at most ``longest`` pieces after its first."""
    chunks, rest = divmod(longest, CHUNK)
    return [
        f"value ::= {first} text{chunks}",
        *(
            f"text{left} ::= piece{{0,{CHUNK - 1}}} | chunk text{left - 1}"
            for left in range(chunks, 0, -1)
        ),
        f"text0 ::= piece{{0,{rest}}}",
        *([f"chunk ::= piece{{{CHUNK}}}"] if chunks else []),
    ]


def _entry(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the right-hand side for one row: tags and values in their order."""
    parts: list[str] = []
    for index, (start, end) in enumerate(pairs):
        shared = index > 0 and start and start == pairs[index - 1][1]
        if index > 0 and not shared:
            parts.append("gap")
        if start and not shared:
            parts += [_literal(start), "gap"]
        elif shared:
            parts.append("gap")
        parts.append("value")
        if end:
            parts.append(_literal(end))
    return " ".join(parts)


def _text_without(tags: Iterable[str], one_line: bool) -> tuple[str, str]:
    """Return rules for a piece of text in which no tag begins, and for such a piece at the start.

    A piece is a character that begins no tag, or a beginning of a tag with a character after it
    that does not go on with it. Of a tag that begins with a sign two characters decide: ``[0]`` may
    stand between ``[Start …]`` and ``[End …]``, but not what looks like another tag.

    Args:
        tags: All tags.
        one_line: Whether the text must have neither line breaks nor signs that begin a tag.
    """
    trie: _Trie = {}
    for tag in filter(None, (tag.strip() for tag in tags)):
        node = trie
        for character in tag if tag[0].isalnum() else tag[: 1 if one_line else 2]:
            node = node.setdefault(character, {})
    never = {*trie, "\n", "\r"} if one_line else set(trie)
    begun = _begun(trie, never)
    piece = " | ".join([f"[^{_in_class(never)}]", *begun])
    first = " | ".join([f"[^{_in_class({*trie, *SPACES})}]", *begun])
    return piece, f"({first})"


def _begun(node: _Trie, never: set[str]) -> list[str]:
    """Return one alternative for each character that goes on with a tag without ending one.

    Args:
        node: What tags have at this place.
        never: Characters that the text after the beginning of a tag must not have.
    """
    alternatives = []
    for character, after in sorted(node.items()):
        if after:
            left = f"[^{_in_class(never | set(after))}]"
            choices = " | ".join([left, *_begun(after, never)])
            alternatives.append(f"{_literal(character)} ({choices})")
    return alternatives


_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\"}


def _literal(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c, r"\"" if c == '"' else c) for c in text) + '"'


def _in_class(characters: Iterable[str]) -> str:
    r"""Return characters as they stand in ``[^…]``: a hyphen last, since ``\-`` is not GBNF."""
    ordered = sorted(characters, key=lambda c: (c == "-", c))
    return "".join(_ESCAPES.get(c, "\\" + c if c in "[]" else c) for c in ordered)
