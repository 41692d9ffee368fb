"""The rule by which the number of answers in the making finds itself."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.teacher.limits import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADROOM = 1.7
_STARTUP_HEADROOM = 4.0
_BACKOFF = 0.8
_SMALLEST_COHORT = 8
_DIP_COHORT = 24
_ENOUGH = 0.75
_FULLY_QUEUED = 1.8
_FIRST_DIP = 12
_LAST_DIP = 64
_HOLD = 32


@dataclass(slots=True, eq=False)
class Sent:
    """A request in flight.

    Attributes:
        places: How many answers it asks for.
        kind: What it has in common with others.
        at: When it was sent, by the clock.
        flight: How many places were taken when it was sent, its own included.
        cohort: Those it was sent with.
        seconds: How long it took; None as long as it is not answered.
    """

    places: int
    kind: str
    at: float
    flight: int
    cohort: _Cohort
    seconds: float | None = None


@dataclass(slots=True, eq=False)
class _Cohort:
    """Requests sent one after the other; judged together, whichever is answered first."""

    size: int
    dip: bool = False
    requests: list[Sent] = field(default_factory=list)
    back: int = 0
    judged: bool = False


class CongestionControl:
    def __init__(
        self, most: int, *, start: int = 64, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = max(1, most)
        self.limit = max(1, min(start, most))
        self._clock = clock
        self._least = 1
        self._base: dict[str, float] = {}
        self._wanted = float(self.limit)
        self._headroom = _STARTUP_HEADROOM
        self._slowdown = 1.0
        self._wait = 0.0
        self._dipping = False
        self._cohorts_to_dip = self._dip_after = _FIRST_DIP
        self._ceiling = float(most)
        self._hold = 0
        self._backed_off_at = float("-inf")
        self._cohort = _Cohort(_SMALLEST_COHORT)

    def sent(self, places: int, kind: str, flight: int) -> Sent:
        cohort = self._cohort
        if len(cohort.requests) >= cohort.size:
            size = max(_SMALLEST_COHORT, self.limit // (4 * places))
            cohort = self._cohort = _Cohort(size)
            self._least = min(self.most, 2 * places)
        request = Sent(places, kind, self._clock(), flight, cohort)
        cohort.requests.append(request)
        return request

    def ended(self, request: Sent, outcome: Outcome) -> None:
        now = self._clock()
        cohort = request.cohort
        if outcome is Outcome.ANSWERED:
            request.seconds = now - request.at
            cohort.back += 1
        else:
            if outcome is Outcome.OVERLOADED:
                self._back_off(request, now)
            if cohort.judged:
                return
            cohort.requests.remove(request)
            cohort.size -= 1
        if (
            not cohort.judged
            and len(cohort.requests) >= cohort.size
            and cohort.back >= _ENOUGH * cohort.size
        ):
            cohort.judged = True
            if cohort.back:
                self._judge(cohort, now)

    def _back_off(self, request: Sent, now: float) -> None:
        if request.at <= self._backed_off_at:
            return
        self._backed_off_at = now
        flight = min(self.limit, request.flight)
        self._ceiling = max(1.0, 0.95 * flight)
        self._hold = _HOLD
        self._headroom = _HEADROOM
        self._wanted = _BACKOFF * flight
        self._end_dip()
        self._set()

    def _judge(self, cohort: _Cohort, now: float) -> None:
        slowdown, flight = self._measure(cohort, now)
        if cohort.dip:
            self._learn_from_dip(slowdown, flight)
            return
        if self._dipping:
            return
        self._slowdown += 0.25 * (slowdown - self._slowdown)
        if self._slowdown < 0.9:
            self._scale(self._slowdown)
        target = self._headroom * flight / slowdown
        if target < flight:
            self._headroom = _HEADROOM
            target = _HEADROOM * flight / slowdown
        if target < flight and target < self._wanted:
            step = 1.0 if self._cohorts_to_dip == self._dip_after else 0.5
            self._wanted += 0.5 * (target - self._wanted)
        elif target > self._wanted and flight >= 0.8 * self.limit:
            self._wanted += (1.0 if self._headroom > _HEADROOM else 0.5) * (target - self._wanted)
        if self._hold:
            self._hold -= 1
        elif self._ceiling < self.most:
            self._ceiling *= 1.01
        self._cohorts_to_dip -= 1
        if self._cohorts_to_dip <= 0 and flight >= 0.8 * self.limit:
            self._dip()
        self._set()

    def _measure(self, cohort: _Cohort, now: float) -> tuple[float, float]:
        weight: dict[str, int] = defaultdict(int)
        spent: dict[str, float] = defaultdict(float)
        flight = 0
        for r in cohort.requests:
            weight[r.kind] += r.places
            spent[r.kind] += r.places * (now - r.at if r.seconds is None else r.seconds)
            flight += r.places * r.flight
        for kind, seconds in spent.items():
            mean = max(seconds / weight[kind], 1e-9)
            if kind not in self._base:
                self._base[kind] = max(mean - self._wait, mean / max(1.0, self._slowdown))
                self._dip_after = _FIRST_DIP
                self._cohorts_to_dip = min(self._cohorts_to_dip, _FIRST_DIP)
        total = sum(weight.values())
        alone = sum(weight[kind] * self._base[kind] for kind in weight)
        self._wait += 0.25 * ((sum(spent.values()) - alone) / total - self._wait)
        return sum(spent.values()) / alone, flight / total

    def _dip(self) -> None:
        self._dipping = True
        self._cohort = _Cohort(_DIP_COHORT, dip=True)

    def _end_dip(self) -> None:
        self._dipping = False
        self._cohorts_to_dip = self._dip_after

    def _learn_from_dip(self, slowdown: float, flight: float) -> None:
        relief = self._slowdown / slowdown
        factor = slowdown if relief < _FULLY_QUEUED else 0.8 * slowdown
        if 0.85 < factor < 1.15:
            self._dip_after = min(2 * self._dip_after, _LAST_DIP)
        else:
            self._dip_after = _FIRST_DIP
        self._scale(factor)
        self._end_dip()
        self._set()

    def _scale(self, factor: float) -> None:
        for kind in self._base:
            self._base[kind] *= factor
        self._slowdown /= factor

    def _set(self) -> None:
        self._wanted = max(float(self._least), min(self._wanted, self._ceiling, self.most))
        wanted = self._wanted / 2 if self._dipping else self._wanted
        self.limit = max(min(self._least, self.most), round(wanted))
