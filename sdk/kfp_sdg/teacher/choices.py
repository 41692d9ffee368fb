"""How many answers a server gives to one request, learned from what it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.teacher.transport import Reply

# llama.cpp: "Field 'n': Value must be between 1 <= value <= 8, but got 10" (its slots).
# vLLM: "n must be at most 16384, got 20000"; others: "'n' : number must be at most 1".
_LIMIT_OF_N = re.compile(
    r"(?:\bn\b['\"`]?\s*:?\s.*?)(?:<= value <= |at most |less than or equal to )(\d+)",
    re.IGNORECASE | re.DOTALL,
)


class ChoicesPerRequest:
    """The largest ``n`` that a server obeys; unknown at first, and never forgotten."""

    def __init__(self) -> None:
        """Know of no limit."""
        self._most: int | None = None

    def parts(self, wanted: range) -> list[range]:
        """Split choices, given by their places, over requests that the server obeys."""
        size = self._most or max(1, len(wanted))
        return [wanted[first : first + size] for first in range(0, len(wanted), size)]

    def learn_from_refusal(self, reply: Reply, asked: int) -> bool:
        """Take note of a 400 that tells the largest ``n``.

        Returns:
            Whether it told one below what was asked, so that asking in parts will help.
        """
        if reply.status not in (400, 422) or asked == 1:
            return False
        told = _LIMIT_OF_N.search(reply.body.decode("utf-8", errors="replace"))
        if told is None or not 1 <= int(told.group(1)) < asked:
            return False
        self._lower_to(int(told.group(1)))
        return True

    def learn_from_answer(self, given: int, asked: int) -> None:
        """Take note of a server that gives one choice however many are asked for."""
        if given == 1 < asked:
            self._lower_to(1)

    def _lower_to(self, most: int) -> None:
        self._most = min(most, self._most or most)
