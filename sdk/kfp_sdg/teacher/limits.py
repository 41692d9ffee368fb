"""How many requests may be in flight at once, over all teachers of a process."""

from __future__ import annotations

import asyncio
import enum
from typing import Protocol


class Outcome(enum.Enum):
    """How a request in flight ended; what a limiter that adapts itself learns from."""

    ANSWERED = "answered"
    OVERLOADED = "overloaded"
    FAILED = "failed"


class Limiter(Protocol):
    """Hands out places in flight; used on the pool's loop only."""

    async def acquire(self) -> None:
        """Wait for a place and take it."""

    def release(self, outcome: Outcome) -> None:
        """Give the place back and say how the request ended."""


class FixedLimiter:
    """A limit that stays as it is set."""

    def __init__(self, most: int) -> None:
        """Allow so many requests in flight, at least one."""
        self._places = asyncio.Semaphore(most)

    async def acquire(self) -> None:
        """Wait for a place and take it."""
        await self._places.acquire()

    def release(self, outcome: Outcome) -> None:
        """Give the place back; how the request ended changes nothing."""
        self._places.release()
