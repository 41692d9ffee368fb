"""How much text a chunk may hold, and how much a text is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from kfp_sdg.errors import Position, Problem, SpecError

TOKENS_PER_WORD = 1.3
"""What InstructLab counts for a word; its first chunker, up to version 0.5, went by it."""

BYTES_PER_TOKEN = 4
"""What InstructLab's FAQ counts for a token. Bytes of UTF-8 and not characters, since a tokenizer
spends more tokens on a letter that is not Latin."""

RESERVED_TOKENS = 1024
"""What InstructLab's first chunker kept free in the context for the rest of the prompt and for the
answer."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3001-\u30ff"  # punctuation of Chinese and Japanese, Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese characters
    "\uff01-\uff60"  # full-width forms
    "\U00020000-\U0003ffff"  # rare Chinese characters
)
"""Scripts that put no spaces between words; each of their characters counts as a word."""

_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
WORD = re.compile(rf"(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)\s*")
"""A word with the space after it."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much a text is; sizes of texts with white space between them add up.

    Attributes:
        words: Its words.
        size: Its bytes in UTF-8, white space left out.
    """

    words: int = 0
    size: int = 0

    def __add__(self, other: Size) -> Size:
        """Return the size of both texts together."""
        return Size(self.words + other.words, self.size + other.size)

    def without(self, other: Size) -> Size:
        """Return the size of what is left when a part is taken away."""
        return Size(self.words - other.words, self.size - other.size)

    @property
    def tokens(self) -> int:
        """About how many tokens a model takes for the text."""
        return math.ceil(max(self.words * TOKENS_PER_WORD, self.size / BYTES_PER_TOKEN))


def measure(text: str) -> Size:
    """Return how much a text is."""
    spaced, unspaced = _UNSPACED_CHARACTER.subn(" ", text)
    return Size(len(spaced.split()) + unspaced, sum(len(part.encode()) for part in text.split()))


@dataclass(frozen=True, slots=True)
class Room:
    """How much fits in.

    Attributes:
        words: At most so many words.
        tokens: At most so many tokens.
    """

    words: int
    tokens: int

    def fits(self, size: Size) -> bool:
        """Tell whether a text of this size fits in."""
        return size.words <= self.words and size.tokens <= self.tokens

    def without(self, size: Size) -> Room:
        """Return what is left beside a text of this size."""
        return Room(self.words - size.words, self.tokens - size.tokens)

    def share(self, divisor: int) -> Room:
        """Return a part of the room."""
        return Room(self.words // divisor, self.tokens // divisor)


def room_for_chunks(chunk_word_count: int, server_ctx_size: int) -> Room:
    """Return how much one chunk may hold.

    Args:
        chunk_word_count: The most words of a chunk.
        server_ctx_size: The teacher's context in tokens.

    Raises:
        SpecError: A chunk of so many words would not fit into the context.
    """
    left = server_ctx_size - RESERVED_TOKENS
    needed = math.ceil(chunk_word_count * TOKENS_PER_WORD)
    most = math.floor(left / TOKENS_PER_WORD)
    if chunk_word_count < 1:
        raise _no_room(f"chunk_word_count is {chunk_word_count}", "at least 1", None)
    if most < 1:
        message = (
            f"server_ctx_size is {server_ctx_size}, and {RESERVED_TOKENS} tokens of it are kept "
            "for the rest of the prompt and for the answer"
        )
        raise _no_room(message, f"at least {RESERVED_TOKENS + needed}", None)
    if needed > left:
        message = (
            f"chunks of {chunk_word_count} words take about {needed} tokens, and a server_ctx_size "
            f"of {server_ctx_size} leaves {left} for them"
        )
        larger = RESERVED_TOKENS + needed
        raise _no_room(
            message,
            f"a chunk_word_count of at most {most}, or a server_ctx_size of at least {larger}",
            f"{RESERVED_TOKENS} tokens are kept for the rest of the prompt and for the answer",
        )
    return Room(chunk_word_count, left)


def _no_room(message: str, expected: str, suggestion: str | None) -> SpecError:
    where = Position("chunk_word_count, server_ctx_size")
    return SpecError(Problem(message, where, None, expected, suggestion, "chunk-size"))
