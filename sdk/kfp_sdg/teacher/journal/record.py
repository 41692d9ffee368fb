"""One kept answer as bytes, and back.

    marker    4   never found in UTF-8, so that the next record is found behind a damaged one
    length    4   of the payload
    first     4   the place of the answer's first choice among the request's ``n``
    key      16   the request's
    checksum  8   BLAKE2b of all the rest
    payload       JSON in UTF-8: [[[text, finish_reason, logprobs?], …], [requests, read, written]]

Numbers are big-endian. The payload is not compressed: that would take several times as long as
writing it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from kfp_sdg.teacher.journal.keys import KEY_BYTES
from kfp_sdg.teacher.model import Answer, Choice, TokenLogprobs
from kfp_sdg.teacher.statistics import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKER = b"\xffJ1\xfe"
_FIELDS = struct.Struct(f">4sII{KEY_BYTES}s")
_CHECKSUM_BYTES = 8
HEAD_BYTES = _FIELDS.size + _CHECKSUM_BYTES

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a record's payload.

    Attributes:
        key: The request's key.
        first: The place of the answer's first choice.
        length: The payload's bytes.
        fields: All of this as it was read.
        checksum: What fields and payload have to give.
    """

    key: bytes
    first: int
    length: int
    fields: bytes
    checksum: bytes

    @classmethod
    def read(cls, data: bytes) -> Head | None:
        """Return the head that bytes hold; None where they hold none."""
        if len(data) < HEAD_BYTES:
            return None
        fields = data[: _FIELDS.size]
        marker, length, first, key = _FIELDS.unpack(fields)
        if marker != MARKER:
            return None
        return cls(key, first, length, fields, data[_FIELDS.size : HEAD_BYTES])

    def fits(self, payload: bytes) -> bool:
        """Tell whether this payload, and all of it, was written behind this head."""
        return len(payload) == self.length and _checksum(self.fields, payload) == self.checksum


def pack(key: bytes, first: int, answer: Answer) -> bytes:
    """Return the record of an answer.

    Raises:
        ValueError: The key has not ``KEY_BYTES`` bytes.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    payload = _encode([[_plain(c) for c in answer.choices], _counts(answer.usage)]).encode(
        "utf-8", "surrogatepass"
    )
    fields = _FIELDS.pack(MARKER, len(payload), first, key)
    return fields + _checksum(fields, payload) + payload


def unpack(payload: bytes) -> Answer:
    """Return the answer that a record's payload holds."""
    choices, usage = json.loads(payload.decode("utf-8", "surrogatepass"))
    return Answer(tuple(_choice(*plain) for plain in choices), Usage(*usage))


def _checksum(fields: bytes, payload: bytes) -> bytes:
    digest = blake2b(fields, digest_size=_CHECKSUM_BYTES)
    digest.update(payload)
    return digest.digest()


def _counts(usage: Usage) -> list[int]:
    return [usage.requests, usage.prompt_tokens, usage.completion_tokens]


def _plain(choice: Choice) -> list[Any]:
    plain: list[Any] = [choice.text, choice.finish_reason]
    if choice.logprobs is not None:
        plain.append([[t.token, t.logprob, t.top] for t in choice.logprobs])
    return plain


def _choice(
    text: str | None, finish_reason: str | None, logprobs: Sequence[Any] | None = None
) -> Choice:
    if logprobs is None:
        return Choice(text, finish_reason)
    return Choice(
        text,
        finish_reason,
        tuple(
            TokenLogprobs(token, logprob, tuple((rival, value) for rival, value in top))
            for token, logprob, top in logprobs
        ),
    )
