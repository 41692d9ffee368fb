"""How long to wait between questions to the Kubernetes API, and for how long to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of everything that waits.

    Attributes:
        first_poll: Until a service is looked at for the second time; later looks are further apart.
        slowest_poll: The most between two looks. A teacher loads for minutes.
        remind: After so long without news it is said that the wait goes on.
        settle: For so long after a start the state of before the start is not taken for the new
            one, where the two cannot be told apart.
        first_retry: Until a request that failed is sent again.
        slowest_retry: The most between two attempts.
        patience: For how long a request that keeps failing is sent again.
        request: What one request may take.
        stopping: For how long a stop is watched.
    """

    first_poll: float = 0.5
    slowest_poll: float = 10.0
    remind: float = 60.0
    settle: float = 15.0
    first_retry: float = 1.0
    slowest_retry: float = 30.0
    patience: float = 300.0
    request: float = 30.0
    stopping: float = 120.0

    def polls(self) -> Iterator[float]:
        """Yield the seconds before each further look at a service, without end."""
        return _growing(self.first_poll, self.slowest_poll)

    def retries(self) -> Iterator[float]:
        """Yield the seconds before each further attempt at a request, without end."""
        return _growing(self.first_retry, self.slowest_retry)


def _growing(first: float, most: float) -> Iterator[float]:
    """Yield numbers that double from the first one up to the largest, which is repeated."""
    doubled = []
    while first < most:
        doubled.append(first)
        first *= 2
    return chain(doubled, repeat(most))
