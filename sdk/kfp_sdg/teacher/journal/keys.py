"""What identifies an answer: everything that determines it, and its place among equal ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfp_sdg.teacher.model import Request

KEY_BYTES = 16

_SCHEME = b"kfp-sdg key 1"
"""Part of every key. A new number makes all journals worthless, so it stays as it is."""

_SHORT = 1 << 60
"""Requests seen once are told apart by so many values. A clash, which takes a billion requests,
only makes a key differ from the one that the request would have had without it."""


class Keys:
    """Gives the requests of one scope their keys; ask for them in row order.

    Equal requests (sampling, equal rows) get different keys by how many of them came before, so
    that each keeps an answer of its own, whatever else was added to or taken from the rows.
    """

    def __init__(self, scope: str) -> None:
        """Begin a scope; nothing equal was asked in it yet.

        Args:
            scope: Who asks: the block's name, inside an IterBlock with the iteration ("gen/2").
        """
        named = scope.encode("utf-8", "surrogatepass")
        self._start = blake2b(
            len(named).to_bytes(8, "big") + named, digest_size=KEY_BYTES, person=_SCHEME
        )
        self._seen: set[int] = set()
        self._again: Counter[bytes] = Counter()

    def of(self, request: Request) -> bytes:
        """Return a request's key.

        It is a digest of the scope, the endpoint's kind, model, ``n``, options and prompt, and of
        how many equal requests this object was asked about before. The server's URL, the API key,
        and the request's ``index`` and ``scope`` are not in it.

        Args:
            request: The request; its ``key`` may still be empty.

        Returns:
            ``KEY_BYTES`` bytes, the same in every process and version.
        """
        is_text = isinstance(request.prompt, str)
        settings = _canonical(
            ["completions" if is_text else "chat", request.model, request.n, request.options]
        )
        digest = self._start.copy()
        digest.update(len(settings).to_bytes(8, "big"))
        digest.update(settings)
        if isinstance(request.prompt, str):
            digest.update(request.prompt.encode("utf-8", "surrogatepass"))
        else:
            digest.update(_canonical(request.prompt))
        equal = digest.digest()
        place = self._count(equal)
        if not place:
            return equal
        again = equal + place.to_bytes(8, "big")
        return blake2b(again, digest_size=KEY_BYTES, person=_SCHEME).digest()

    def _count(self, equal: bytes) -> int:
        """Return how often this digest came before.

        Most come once, and of those only a short number is kept: 60 bytes each.
        """
        short = int.from_bytes(equal[:8], "big") % _SHORT
        if short not in self._seen:
            self._seen.add(short)
            return 0
        self._again[equal] += 1
        return self._again[equal]


def _plain(value: Any) -> Any:
    """Return what ``json`` can encode; what a server cannot be sent needs no stable key."""
    return dict(value) if isinstance(value, Mapping) else repr(value)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain).encode


def _canonical(value: Any) -> bytes:
    """Return JSON whose bytes do not depend on the order of dictionaries; 1 and 1.0 differ."""
    try:
        text = _encode(value)
    except TypeError:  # keys of several types, which cannot be sorted before JSON made them text
        text = _encode(json.loads(json.dumps(value, default=_plain)))
    return text.encode("ascii")
