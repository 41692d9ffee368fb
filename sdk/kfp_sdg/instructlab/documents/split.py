"""One block that is too long for a chunk, cut into pieces that fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kfp_sdg.instructlab.documents.markdown import Block, BlockKind
from kfp_sdg.instructlab.documents.measure import WORD, Room, Size, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_END_OF_SENTENCE = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s+|[。！？]++[”’」』）]*+\s*"
)  # possessive, so that a row of dots is looked at once
_FENCE = re.compile(r"\s*(?P<mark>`{3,}|~{3,})")


def split_block(block: Block, room: Room) -> list[str]:
    """Return a block as pieces that fit, in order; one piece if all of it fits.

    Tables are cut between rows, and each piece has the header; fenced code between lines, and each
    piece has its fence; lists and quotes between what they are made of; text between sentences.
    Only what is too long by itself is cut further, down to words and at last to parts of a word.
    """
    if room.fits(measure(block.text)):
        return [block.text]
    if block.kind is BlockKind.TABLE:
        return _split_table(block, room)
    if block.kind is BlockKind.FENCE:
        return _split_fence(block, room)
    if block.parts:
        return _packed(_parts(block, room), room)
    if block.kind is BlockKind.LINES:
        return _split_lines(block.lines, room)
    return _packed(_small(_sentences(block.text), room), room)


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for match in _END_OF_SENTENCE.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]


def _parts(block: Block, room: Room) -> Iterator[str]:
    for part in block.parts:
        pieces = split_block(part, room)
        yield ("\n" if part.apart else "") + pieces[0] + "\n"
        yield from (f"{piece}\n" for piece in pieces[1:])


def _split_lines(lines: Iterable[str], room: Room) -> list[str]:
    return _packed(_small((f"{line}\n" for line in lines), room), room)


def _small(texts: Iterable[str], room: Room) -> Iterator[str]:
    """Pass on texts that fit; cut others between words, and words that do not fit themselves."""
    for text in texts:
        if room.fits(measure(text)):
            yield text
            continue
        for word in WORD.findall(text):
            yield from [word] if room.fits(measure(word)) else _characters(word, room)


def _characters(word: str, room: Room) -> Iterator[str]:
    """Cut one word, such as a file in base64, which no model could be shown otherwise."""
    # a character takes at most 4 bytes, which are a token
    for start in range(0, len(word), room.tokens):
        yield word[start : start + room.tokens]


def _packed(texts: Iterable[str], room: Room) -> list[str]:
    """Join neighbours as long as they fit together."""
    packed: list[list[str]] = []
    sizes: list[Size] = []
    for text in texts:
        more = measure(text)
        if packed and room.fits(sizes[-1] + more):
            packed[-1].append(text)
            sizes[-1] += more
        else:
            packed.append([text])
            sizes.append(more)
    if len(packed) > 1:
        _even_out(packed, sizes, room)
    joined = ("".join(group).strip("\n").rstrip() for group in packed)
    return [text for text in joined if text]


def _even_out(groups: list[list[str]], sizes: Sequence[Size], room: Room) -> None:
    """Move texts from the last group but one to the last, so that no crumb is left at the end."""
    first, last = groups[-2:]
    before, after = sizes[-2:]
    while (moved := measure(first[-1])).words:
        before, after = before.without(moved), after + moved
        if after.words > before.words or not room.fits(after):
            return
        last.insert(0, first.pop())


def _split_table(block: Block, room: Room) -> list[str]:
    header = "\n".join(block.lines[:2])
    if not room.share(2).fits(measure(header)):
        return _split_lines(block.lines, room)
    rows = _split_lines(block.lines[2:], room.without(measure(header)))
    return [f"{header}\n{piece}" for piece in rows]


def _split_fence(block: Block, room: Room) -> list[str]:
    opening = block.lines[0]
    found = _FENCE.match(opening)
    closing = found["mark"] if found else ""
    frame = measure(f"{opening}\n{closing}")
    if not closing or not room.share(2).fits(frame):
        return _split_lines(block.lines, room)
    last = block.lines[-1].strip()
    closed = len(block.lines) > 1 and last.startswith(closing) and set(last) == {closing[0]}
    inside = _split_lines(block.lines[1 : -1 if closed else None], room.without(frame))
    return [f"{opening}\n{piece}\n{closing}" for piece in inside]
