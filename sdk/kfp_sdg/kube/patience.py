"""For how long a request that fails is sent again, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of requests that fail for reasons that pass.

    Attributes:
        first_retry: Until a request that failed is sent again.
        slowest_retry: The most between two attempts.
        patience: For how long a request that keeps failing is sent again.
        request: What one request may take.
    """

    first_retry: float = 1.0
    slowest_retry: float = 30.0
    patience: float = 300.0
    request: float = 30.0

    def retries(self) -> Iterator[float]:
        """Yield the seconds before each further attempt at a request, without end."""
        return growing(self.first_retry, self.slowest_retry)


def growing(first: float, most: float) -> Iterator[float]:
    """Yield numbers that double from the first one up to the largest, which is repeated."""
    doubled = []
    while first < most:
        doubled.append(first)
        first *= 2
    return chain(doubled, repeat(most))
