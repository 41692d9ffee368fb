"""The rule by which the number of answers in the making finds itself."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from kfp_sdg.teacher.ceiling import Ceiling
from kfp_sdg.teacher.cohorts import Cohort, Reading, Sent
from kfp_sdg.teacher.limits import Outcome
from kfp_sdg.teacher.service_times import ServiceTimes

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADROOM = 1.8
_STARTUP_HEADROOM = 4.0
_STEP = 0.5
_SMOOTHING = 0.25
_IN_USE = 0.8
_BACKOFF = 0.8
_UNTESTED = 0.6
_HELD_DOWN = 1.25
_DIP = 0.5
_DIP_COHORT = 24
_LONGEST_DIP = 16
_FIRST_DIP = 16
_LAST_DIP = 72
_LITTLE_LOST = 0.87
_MUCH_LOST = 0.58


class CongestionControl:
    """A limit and what moves it."""

    def __init__(
        self, most: int, *, start: int = 64, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with a guess.

        Args:
            most: The limit's own limit, at least 1.
            start: The first limit.
            clock: Seconds from any moment on.
        """
        self.limit = max(1, min(start, most))
        self._most = max(1, most)
        self._clock = clock
        self._times = ServiceTimes()
        self._ceiling = Ceiling(self._most)
        self._cohort: Cohort | None = None
        self._work = 0.0
        self._least = 1
        self._wanted = float(self.limit)
        self._tested = 0.0
        self._busy = 0.0
        self._starting = True
        self._much_lost = False
        self._dip = 1.0
        self._dip_lasts = 0
        self._dip_after = self._cohorts_to_dip = _FIRST_DIP

    def sent(self, places: int, kind: str, flight: int) -> Sent:
        """Note that a request is sent.

        Args:
            places: How many answers it asks for.
            kind: What it has in common with others.
            flight: Places taken now, its own included.

        Returns:
            What ``ended`` wants back.
        """
        cohort = self._cohort
        if cohort is None:
            cohort = self._cohort = Cohort.first(places)
        elif cohort.full:
            self._least = min(self._most, 2 * places)
            cohort = self._cohort = Cohort.of_round(self.limit, places)
        alone = places * self._times.alone(kind)
        self._work += alone
        request = Sent(places, kind, self._clock(), flight, alone, self._work / flight, cohort)
        cohort.add(request)
        return request

    def ended(self, request: Sent, outcome: Outcome) -> None:
        """Note how a request ended, and move the limit if it completes what can be judged."""
        now, cohort = self._clock(), request.cohort
        self._work = max(0.0, self._work - request.alone)
        if outcome is Outcome.ANSWERED:
            cohort.answer(request, now - request.at)
            self._ceiling.answered()
        else:
            if outcome is Outcome.OVERLOADED:
                self._back_off(request, now)
            cohort.drop(request)
        if cohort.ripe:
            self._judge(cohort, now)

    def _back_off(self, request: Sent, now: float) -> None:
        flight = min(round(self._wanted), request.flight)
        if not self._ceiling.refused(request.places, flight, request.at, now):
            return
        # What is answered all the same is no excess, unless most of it is refused by now.
        answered = 0.0 if self._ceiling.most_are_refused else self._busy
        self._starting = False
        self._wanted = max(_BACKOFF * flight, answered)
        self._end_dip()

    def _judge(self, cohort: Cohort, now: float) -> None:
        reading = cohort.read(now)
        if self._times.meet(reading):
            self._dip_after = _FIRST_DIP
            self._cohorts_to_dip = min(self._cohorts_to_dip, _FIRST_DIP)
        if cohort.dip and self._dip < 1.0:
            self._learn_from_dip(reading)
        elif self._dip == 1.0:
            self._ceiling.cohort(reading.most_in_flight)
            self._aim(reading, cohort.size)
        else:
            self._dip_lasts -= 1
            if not self._dip_lasts:
                self._end_dip()  # one of its requests hangs

    def _aim(self, reading: Reading, size: int) -> None:
        flight = reading.flight
        if self._starting:
            self._times.refine(reading)
        self._times.follow(reading)
        busy = flight / self._times.slowdown(reading)
        self._busy += (_SMOOTHING if self._busy else 1.0) * (busy - self._busy)
        in_use = flight >= _IN_USE * self.limit
        target = self._aimed_at(busy)
        self._cohorts_to_dip -= 1
        if target < flight:
            self._shrink(target)
        elif in_use and self._starting:
            self._wanted = max(self._wanted, _STARTUP_HEADROOM * busy)
            self._starting = self._wanted < self._most
        elif in_use and target > self._wanted:
            self._wanted += _STEP * (target - self._wanted)
        # By the cap or by refusals; then nobody waits, and a dip would cost and teach nothing.
        held_down = self._aimed_at(self._busy) > _HELD_DOWN * self._wanted
        if self._cohorts_to_dip <= 0 and in_use and not self._starting and not held_down:
            self._dip = _DIP
            self._dip_lasts = _LONGEST_DIP
            self._cohort = Cohort(max(_DIP_COHORT, size), dip=True)
        self._set()

    @staticmethod
    def _aimed_at(busy: float) -> float:
        return _HEADROOM * busy + math.sqrt(busy)

    def _shrink(self, target: float) -> None:
        if target < self._wanted:
            self._wanted += _STEP * (target - self._wanted)
            if not self._starting and self._wanted < self._tested:
                self._wanted = self._tested
                self._cohorts_to_dip = 0
        self._starting = False

    def _learn_from_dip(self, reading: Reading) -> None:
        kept = reading.flight / self._times.slowdown(reading) / self._busy
        much_lost = kept < _MUCH_LOST
        wrong = self._times.correct(
            reading, slower=kept < _LITTLE_LOST, forget=much_lost and self._much_lost
        )
        settled = 0.7 < wrong < 1.4 and not much_lost
        self._dip_after = min(2 * self._dip_after, _LAST_DIP) if settled else _FIRST_DIP
        self._much_lost = much_lost
        self._tested = _UNTESTED * self._wanted
        self._end_dip()

    def _end_dip(self) -> None:
        self._dip = 1.0
        self._cohorts_to_dip = self._dip_after
        self._set()

    def _set(self) -> None:
        self._wanted = min(max(self._wanted, self._least), self._ceiling.places, self._most)
        self.limit = max(1, self._least, round(self._dip * self._wanted))
