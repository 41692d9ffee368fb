"""Requests in flight, in cohorts of those that were sent one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

_SMALLEST = 8
_FIRST = 4
_ENOUGH = 0.75
"""The share of a kind's requests that has to be back; waiting for the last would take longer than
what is learnt is worth, and one that hangs would hold up all."""


@dataclass(slots=True, eq=False)
class Sent:
    """A request in flight.

    Attributes:
        places: How many answers it asks for.
        kind: What it has in common with others, for their latency.
        at: When it was sent, in seconds of the clock.
        flight: How many places were taken then, its own included.
        alone: Seconds of service of its places as far as known then.
        mean_alone: Mean seconds of service of all places then in flight, as far as known.
        cohort: Those it was sent with.
        seconds: How long it took; None as long as it is not answered.
    """

    places: int
    kind: str
    at: float
    flight: int
    alone: float
    mean_alone: float
    cohort: Cohort
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cohort tells; means are weighted by places.

    Attributes:
        places: Places by kind.
        seconds: Mean latency by kind.
        flight: Mean number of places in flight when its requests were sent.
        most_in_flight: The largest of these numbers.
        mean_alone: Mean seconds of service of what was in flight.
    """

    places: dict[str, int]
    seconds: dict[str, float]
    flight: float
    most_in_flight: int
    mean_alone: float


@dataclass(slots=True, eq=False)
class Cohort:
    """Requests in the order sent, judged together.

    The answers that come back first are the short ones, so what came back lately says little; a
    cohort counts its late requests too, with their age once most of the others are back.

    Attributes:
        size: How many requests it takes.
        requests: Its requests, without those that failed.
        asked: How many of them there are, by kind.
        answered: How many of them are answered, by kind.
        judged: It has been read.
    """

    size: int = _SMALLEST
    requests: list[Sent] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    judged: bool = False

    @classmethod
    def of_round(cls, limit: int, places: int) -> Cohort:
        """Return a cohort of about a quarter of the requests that the limit lets in flight."""
        return cls(max(_SMALLEST, limit // (4 * places)))

    @classmethod
    def first(cls, places: int) -> Cohort:
        """Return the first of all: so few that they may well be served without waiting."""
        return cls(max(1, _FIRST // places))

    @property
    def full(self) -> bool:
        """No more requests belong to it."""
        return len(self.requests) >= self.size

    @property
    def ripe(self) -> bool:
        """Enough of each kind is answered; before that, of long answers little is known."""
        if self.judged or not self.full or not self.requests:
            return False
        return all(self.answered.get(kind, 0) >= _ENOUGH * n for kind, n in self.asked.items())

    def add(self, request: Sent) -> None:
        """Take in a request that is sent."""
        self.requests.append(request)
        self.asked[request.kind] = self.asked.get(request.kind, 0) + 1

    def answer(self, request: Sent, seconds: float) -> None:
        """Note that a request is answered."""
        request.seconds = seconds
        self.answered[request.kind] = self.answered.get(request.kind, 0) + 1

    def drop(self, request: Sent) -> None:
        """Take out a request that failed; its time says nothing about answers."""
        if not self.judged:
            self.requests.remove(request)
            self.asked[request.kind] -= 1
            self.size -= 1

    def read(self, now: float) -> Reading:
        """Judge it.

        Args:
            now: Seconds of the clock, for the age of what is not answered.
        """
        self.judged = True
        places: dict[str, int] = {}
        seconds: dict[str, float] = {}
        flight = mean_alone = 0.0
        for request in self.requests:
            weight, kind = request.places, request.kind
            took = now - request.at if request.seconds is None else request.seconds
            places[kind] = places.get(kind, 0) + weight
            seconds[kind] = seconds.get(kind, 0.0) + weight * max(took, 1e-9)
            flight += weight * request.flight
            mean_alone += weight * request.mean_alone
        total = sum(places.values())
        return Reading(
            places,
            {kind: seconds[kind] / places[kind] for kind in places},
            flight / total,
            max(request.flight for request in self.requests),
            mean_alone / total,
        )
