"""A limiter that finds by itself how many answers one server can make at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from kfp_sdg.teacher.congestion import CongestionControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.teacher.cohorts import Sent
    from kfp_sdg.teacher.limits import Outcome, Ticket


class AdaptiveLimiter:
    """A queue for the places that ``CongestionControl`` finds; see there for the rule.

    Who asks first is let in first, so that requests of one block stay near each other. Used on
    one event loop only.
    """

    def __init__(
        self,
        most: int = 1024,
        *,
        start: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with a guess.

        Args:
            most: The most answers in the making, whatever the server could do; at least 1.
            start: How many to begin with, where ``most`` allows it.
            clock: Seconds from any moment on.
        """
        self._control = CongestionControl(most, start=start, clock=clock)
        self._taken = 0
        self._closed = False
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()

    @property
    def limit(self) -> int:
        """How many answers may be in the making now."""
        return self._control.limit

    @property
    def slack(self) -> float:
        """Seconds that the server can go on if it is sent nothing more."""
        return self._control.slack(self._taken)

    async def acquire(self, places: int, kind: str) -> Sent:
        """Wait for places and take them; see ``Limiter``."""
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((places, turn))
        self._admit()
        try:
            flight = await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # let in and cancelled in the same moment
                self._taken -= places
            self._admit()
            raise
        return self._control.sent(places, kind, flight)

    def release(self, ticket: Ticket, outcome: Outcome, work: float = 0.0) -> None:
        """Give the places back; see ``Limiter``. The rule needs no measure of the work."""
        self._taken -= ticket.places
        self._control.ended(cast("Sent", ticket), outcome)
        self._admit()

    def close(self) -> None:
        """Hand out no more places; whoever waits, waits on."""
        self._closed = True

    def _admit(self) -> None:
        """Let in whoever there is room for, in the order they came."""
        while self._waiting and not self._closed:
            places, turn = self._waiting[0]
            if turn.cancelled():
                self._waiting.popleft()
                continue
            if self._taken and self._taken + places > self._control.limit:
                return
            self._waiting.popleft()
            self._taken += places
            turn.set_result(self._taken)
