"""A document in Markdown, cut into chunks for the teacher."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.instructlab.documents.markdown import Block, BlockKind, parse_markdown
from kfp_sdg.instructlab.documents.measure import Room, Size, measure, room_for_chunks
from kfp_sdg.instructlab.documents.split import split_block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DEFAULT_CHUNK_WORD_COUNT = 1000
DEFAULT_SERVER_CTX_SIZE = 4096

_HEADINGS_SHARE = 3
"""The headings above a piece may take up to a third of its chunk; longer ones are plain text."""


def chunk_document(
    text: str,
    *,
    chunk_word_count: int = DEFAULT_CHUNK_WORD_COUNT,
    server_ctx_size: int = DEFAULT_SERVER_CTX_SIZE,
) -> list[str]:
    """Cut a document in Markdown into chunks, each within both limits.

    A section that fits into a chunk stays whole, as does a table, a list, a piece of code or a
    paragraph of a section that does not. Small neighbours share a chunk. A chunk that begins inside
    of a section begins with its headings, from the top of the document down, so that the teacher
    knows what the text is about. Nothing else is added, and only comments and front matter are left
    out. The same text gives the same chunks.

    Args:
        text: The document.
        chunk_word_count: The most words of a chunk, headings included. In scripts that put no
            spaces between words each character counts as one.
        server_ctx_size: The teacher's context in tokens. Of these, 1024 are kept for the rest of
            the prompt and the answer; a word is counted as 1.3 tokens, or as a quarter of its
            bytes, whichever is more for the chunk as a whole.

    Returns:
        The chunks, in the order of the document; none if it has no text.

    Raises:
        SpecError: A chunk of so many words would not fit into the context.
    """
    room = room_for_chunks(chunk_word_count, server_ctx_size)
    sections = _sections(parse_markdown(text))
    return [chunk.text for chunk in _merged(_pieces(sections, (), room), room)]


_CRUMB = 4
"""A last chunk so many times smaller than the one before it is not left alone."""


@dataclass(frozen=True, slots=True)
class _Section:
    """A heading with all that is below it; the text before the first heading has none."""

    heading: Block | None
    body: tuple[Block, ...]
    sections: tuple[_Section, ...]
    size: Size

    def blocks(self) -> Iterator[Block]:
        """Return all its blocks, in order."""
        if self.heading:
            yield self.heading
        yield from self.body
        for section in self.sections:
            yield from section.blocks()


@dataclass(frozen=True, slots=True, eq=False)
class _Heading:
    """A heading above pieces; the same text may stand in several places of a document."""

    text: str
    size: Size


@dataclass(frozen=True, slots=True)
class _Piece:
    """What goes into one chunk as a whole.

    Attributes:
        above: The headings that it stands below, from the top down.
        text: The text.
        size: Its size, without that of the headings.
    """

    above: tuple[_Heading, ...]
    text: str
    size: Size


@dataclass(slots=True)
class _Chunk:
    """A chunk in the making."""

    pieces: list[_Piece] = field(default_factory=list)
    size: Size = field(default_factory=Size)

    @classmethod
    def of(cls, pieces: Iterable[_Piece]) -> _Chunk:
        chunk = cls()
        for piece in pieces:
            chunk.add(piece)
        return chunk

    @property
    def text(self) -> str:
        texts: list[str] = []
        before: tuple[_Heading, ...] = ()
        for piece in self.pieces:
            texts += [heading.text for heading in _new_headings(before, piece)]
            texts.append(piece.text)
            before = piece.above
        return "\n\n".join(texts)

    def size_with(self, piece: _Piece) -> Size:
        before = self.pieces[-1].above if self.pieces else ()
        return sum((h.size for h in _new_headings(before, piece)), self.size + piece.size)

    def add(self, piece: _Piece) -> None:
        self.size = self.size_with(piece)
        self.pieces.append(piece)


def _new_headings(before: tuple[_Heading, ...], piece: _Piece) -> tuple[_Heading, ...]:
    """Return the headings of a piece that the piece before it does not stand below."""
    common = 0
    for here, there in zip(before, piece.above, strict=False):
        if here is not there:
            break
        common += 1
    return piece.above[common:]


def _merged(pieces: Iterable[_Piece], room: Room) -> list[_Chunk]:
    """Put neighbours into one chunk as long as they fit together."""
    chunks: list[_Chunk] = []
    for piece in pieces:
        if not chunks or not room.fits(chunks[-1].size_with(piece)):
            chunks.append(_Chunk())
        chunks[-1].add(piece)
    return [*chunks[:-2], *_evened(chunks[-2:], room)]


def _evened(chunks: Sequence[_Chunk], room: Room) -> Sequence[_Chunk]:
    """Return the last two chunks; a last one that is only a crumb takes over from its neighbour."""
    if len(chunks) < 2 or chunks[0].size.words < _CRUMB * chunks[1].size.words:
        return chunks
    pieces = [piece for chunk in chunks for piece in chunk.pieces]
    best, less = chunks, chunks[1].size.words
    for cut in range(len(chunks[0].pieces) - 1, 0, -1):
        first, last = _Chunk.of(pieces[:cut]), _Chunk.of(pieces[cut:])
        if not room.fits(last.size) or min(first.size.words, last.size.words) <= less:
            break
        best, less = (first, last), min(first.size.words, last.size.words)
    return best


def _pieces(
    sections: Sequence[_Section], above: tuple[_Heading, ...], room: Room
) -> Iterator[_Piece]:
    """Return what the sections are cut into: whole sections where they fit, else their parts."""
    taken = _total(heading.size for heading in above)
    left = room.without(taken)
    for section in sections:
        if left.fits(section.size):
            text = "\n\n".join(block.text for block in section.blocks())
            if text:
                yield _Piece(above, text, section.size)
            continue
        below, long_heading = above, None
        if section.heading:
            heading = _Heading(section.heading.text, measure(section.heading.text))
            if room.share(_HEADINGS_SHARE).fits(taken + heading.size):
                below = (*above, heading)
            else:
                long_heading = section.heading
        left_below = room.without(_total(heading.size for heading in below))
        for text in _texts(long_heading, section.body, left_below):
            yield _Piece(below, text, measure(text))
        yield from _pieces(section.sections, below, room)


def _texts(heading: Block | None, blocks: Sequence[Block], room: Room) -> Iterator[str]:
    """Return blocks as texts that fit; a heading stays with the first if it can."""
    if heading and blocks and room.share(2).fits(size := measure(heading.text)):
        first, *others = split_block(blocks[0], room.without(size))
        yield f"{heading.text}\n\n{first}"
        yield from others
        blocks = blocks[1:]
    elif heading:
        yield from split_block(heading, room)
    for block in blocks:
        yield from split_block(block, room)


def _sections(blocks: Sequence[Block]) -> tuple[_Section, ...]:
    """Return the blocks by headings; a section ends at a heading of the same or a higher level."""
    here = 0
    while here < len(blocks) and blocks[here].kind is not BlockKind.HEADING:
        here += 1
    before = _section(None, blocks[:here], ()) if here else None
    found: list[_Section] = [before] if before else []
    while here < len(blocks):
        end = here + 1
        while end < len(blocks) and not 0 < blocks[end].level <= blocks[here].level:
            end += 1
        body = here + 1
        while body < end and blocks[body].kind is not BlockKind.HEADING:
            body += 1
        inner = _sections(blocks[body:end])
        found.append(_section(blocks[here], blocks[here + 1 : body], inner))
        here = end
    return tuple(found)


def _section(
    heading: Block | None, body: Sequence[Block], sections: tuple[_Section, ...]
) -> _Section:
    own = (*([heading] if heading else []), *body)
    sizes = (*(measure(block.text) for block in own), *(section.size for section in sections))
    return _Section(heading, tuple(body), sections, _total(sizes))


def _total(sizes: Iterable[Size]) -> Size:
    return sum(sizes, Size())
