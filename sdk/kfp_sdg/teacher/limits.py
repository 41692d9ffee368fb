"""How many answers may be in the making at once at one server."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from dataclasses import dataclass
from typing import Protocol


class Outcome(enum.Enum):
    """How a request in flight ended; what a limiter that adapts itself learns from."""

    ANSWERED = "answered"
    OVERLOADED = "overloaded"
    FAILED = "failed"


class Ticket(Protocol):
    """A request's places in flight, from ``acquire`` to ``release``."""

    @property
    def places(self) -> int:
        """How many answers the request asks for; each takes a place of the server."""


class Limiter(Protocol):
    """Hands out places in flight at one server, in the order asked; used on one loop only."""

    @property
    def limit(self) -> int:
        """How many places there are now."""

    async def acquire(self, places: int, kind: str) -> Ticket:
        """Wait for places and take them.

        A request for more places than there are is let through alone.

        Args:
            places: How many answers the request asks for (``n``).
            kind: What requests like it have in common (the block), for their latency.
        """

    def release(self, ticket: Ticket, outcome: Outcome, work: float = 0.0) -> None:
        """Give the places back.

        Args:
            ticket: What ``acquire`` gave.
            outcome: How the request ended.
            work: How much the server did for it: completion tokens where it counts them, else the
                number of choices.
        """

    def close(self) -> None:
        """Hand out no more places; whoever waits, waits on. For a run that is ended in order."""


@dataclass(frozen=True, slots=True)
class PlainTicket:
    """Places in flight and nothing more.

    Attributes:
        places: As for ``Ticket``.
    """

    places: int


class FixedLimiter:
    """A limit that stays as it is set; whoever asks first is served first."""

    def __init__(self, most: int) -> None:
        """Allow so many answers in the making, at least one."""
        self.limit = most
        self._taken = 0
        self._closed = False
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, places: int, kind: str) -> PlainTicket:
        """Wait for places and take them; the kind changes nothing."""
        turn = asyncio.get_running_loop().create_future()
        entry = (places, turn)
        self._waiting.append(entry)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._taken -= places
            else:
                self._waiting.remove(entry)
            self._admit()
            raise
        return PlainTicket(places)

    def release(self, ticket: Ticket, outcome: Outcome, work: float = 0.0) -> None:
        """Give the places back; how the request ended changes nothing."""
        self._taken -= ticket.places
        self._admit()

    def close(self) -> None:
        """Hand out no more places."""
        self._closed = True

    def _admit(self) -> None:
        """Let in whoever there is room for, in the order they came."""
        while self._waiting and not self._closed:
            places, turn = self._waiting[0]
            if self._taken and self._taken + places > self.limit:
                return
            self._waiting.popleft()
            self._taken += places
            turn.set_result(None)
