"""How long to wait between questions to the Kubernetes API, and for how long to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.kube.patience import Patience, growing

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Pace(Patience):
    """Seconds of everything that waits, besides those of requests that fail.

    Attributes:
        first_poll: Until a service is looked at for the second time; later looks are further apart.
        slowest_poll: The most between two looks. A teacher loads for minutes.
        remind: After so long without news it is said that the wait goes on.
        settle: For so long after a start the state of before the start is not taken for the new
            one, where the two cannot be told apart.
        stopping: For how long a stop is watched.
    """

    first_poll: float = 0.5
    slowest_poll: float = 10.0
    remind: float = 60.0
    settle: float = 15.0
    stopping: float = 120.0

    def polls(self) -> Iterator[float]:
        """Yield the seconds before each further look at a service, without end."""
        return growing(self.first_poll, self.slowest_poll)
