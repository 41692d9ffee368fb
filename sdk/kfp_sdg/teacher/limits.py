"""How many answers may be in the making at once at one server."""

from __future__ import annotations

import enum
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

    @property
    def slack(self) -> float:
        """Seconds that the server can go on if it is sent nothing more; 0.0 where not known."""

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
