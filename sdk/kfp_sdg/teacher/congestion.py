"""The rule by which the number of answers in the making finds itself.

A server with more places in flight than it has slots is full, and every further one only waits. By
Little's law ("A Proof for the Queuing Formula: L = λW", 1961) the busy places are

    busy = flight / slowdown,    slowdown = seconds of an answer / seconds it takes alone,

whatever the throughput is. The limit follows ``1.8 busy + √busy``: while answers come back as quick
as alone that lets it grow by the factor, and at a full server it settles at about twice the slots,
so that there is always a small queue. It is the gradient of TCP Vegas (Brakmo and Peterson, 1995)
in the form of Netflix's concurrency-limits ("Gradient2"), with these parts around it:

- Cohorts (``cohorts``): latencies are means over requests sent one after the other.
- Start (``_starting``): up to four times what is busy per round trip, as BBR's start-up does with
  2.9 ("BBR: Congestion-Based Congestion Control", Cardwell et al., 2016), until answers wait. The
  first requests of the first burst are hardly queued, the last ones are, so a server of four slots
  shows after a few answers.
- Dips (``_dip``): a slowdown needs to know what an answer takes alone, and prompts, answers and the
  server's other clients change. So now and then the limit is halved for one cohort, as BBR's
  ProbeRTT does. If throughput stays the same, the queue was ours; if it falls, answers take what
  they take now, up to a bound (``service_times``). The bound keeps clients that share a server from
  taking each other's queue for service and growing against each other. The limit is raised again
  as soon as the cohort is sent: what comes behind it does not make it wait. So a dip costs a tenth
  of the throughput for half a round trip, and comes every 6 to 18 round trips.
- A limit that wants to fall far has to pass a dip first, and one whose dip cost throughput stays:
  so slower answers alone (a changed prompt) starve no server, and another client does not get all.
- Refusals (``ceiling``): 429, 503 and time-outs shrink the limit by a fifth, at most once a round
  trip (multiplicative decrease, Chiu and Jain, 1989), but not below what is answered all the same.

A limit that is not used says nothing: it neither grows nor falls.

Measured in simulation (tests/limit_simulator.py; share of the best fixed limit's throughput after
3 s, limit it settles at):

    4 slots, 0.1 s or 1 s, ±0 to ±80 %         100 %        8 to 12
    64 slots, 0.1 s or 1 s, ±0 to ±80 %        99 %         95 to 140
    512 slots, 0.1 s or 1 s, ±0 to ±80 %       99 %         750 to 950 (full after 2.7 s at 1 s)
    64 slots, 1,000 requests in all            99 %
    64 slots, two kinds 10:1, any mixture      99 %         100 to 230
    64 slots, a block begins at full load      100 %        115 to 160
    64 slots, n = 10                           96 to 99 %   170 to 190
    429 above 8, 40, 80 places                 99 %         8, 40, 80 (refused: 4 %, 0.6 %, 1 %)
    30 % refused at random                     99 %         95 to 135
    throughput ∝ √batch from 64 to 256         99 %         560 to 670
    latency × 4 at once / within 100 s         96 % / 99 %  75 to 125
    128 places of another client, 64 slots     100 %        our share is 49 %; soon all of it again
    a second client of ours, 64 slots          100 %        shares 15 % to 50 %; the later has more
"""

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
"""Places in flight per busy one; a dip to half of it still keeps nine of ten slots busy."""
_STARTUP_HEADROOM = 4.0
_STEP = 0.5
"""The share of the way to its aim that the limit goes per cohort."""
_SMOOTHING = 0.25
_IN_USE = 0.8
"""A cohort sent at fewer places in flight than this share of the limit had no use for more."""
_BACKOFF = 0.8
_HELD_DOWN = 1.25
_UNTESTED = 0.6
"""The share of the limit at its last dip that it may fall to before the next."""
_DIP = 0.5
_DIP_COHORT = 24
"""Requests of a dip; enough that a jitter of ±80 % moves their mean by a tenth."""
_LONGEST_DIP = 16
_FIRST_DIP = 24
_LAST_DIP = 72
"""Cohorts from one dip to the next, at first and once nothing changes; four make a round trip."""
_LITTLE_LOST = 0.87
_MUCH_LOST = 0.58
"""Of a dip's throughput to that before. 0.5: nobody waited; 0.67: half of those who wait are other
clients'; 1: the queue is ours."""
_SURPRISES = (0.7, 1.4)
"""A dip that changes what was known by a factor beyond these is soon repeated."""


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
        self._dip: Cohort | None = None
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
            # Small ones in the first burst, lest a slow server shows late that it has few slots.
            limit = self.limit if self._busy else 1
            cohort = self._cohort = Cohort.of_round(limit, places)
        alone = places * self._times.alone(kind)
        self._work += alone
        request = Sent(places, kind, self._clock(), flight, alone, self._work / flight, cohort)
        cohort.add(request)
        if cohort is self._dip and cohort.full:
            self._set()
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

    def slack(self, flight: int) -> float:
        """Return for how many seconds the server can go on if it is sent nothing more.

        Those in flight beyond the busy places wait in line, and by Little's law a place becomes
        free ``busy / alone`` times a second. While little is known it is 0.

        Args:
            flight: Places taken now.
        """
        waiting = flight - self._busy
        if self._starting or not self._busy or waiting <= 0:
            return 0.0
        return waiting / self._busy * self._work / flight

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
        if cohort is self._dip:
            self._learn_from_dip(reading)
        elif self._dip is None:
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
        if not self._starting:
            self._cohorts_to_dip -= 1
        if target < flight:
            self._shrink(target)
        elif in_use and self._starting:
            self._wanted = max(self._wanted, _STARTUP_HEADROOM * busy)
            self._starting = self._wanted < self._most
        elif in_use and target > self._wanted:
            self._wanted += _STEP * (target - self._wanted)
        self._set()
        # By the cap or by refusals; then nobody waits, and a dip would cost and teach nothing.
        held_down = self._aimed_at(self._busy) > _HELD_DOWN * self._wanted
        if self._cohorts_to_dip <= 0 and in_use and not self._starting and not held_down:
            self._dip = self._cohort = Cohort(max(_DIP_COHORT, size))
            self._dip_lasts = _LONGEST_DIP
        self._set()

    @staticmethod
    def _aimed_at(busy: float) -> float:
        return _HEADROOM * busy + math.sqrt(busy)

    def _shrink(self, target: float) -> None:
        if target < self._wanted:
            before = self._wanted
            self._wanted += (1.0 if self._starting else _STEP) * (target - before)
            if not self._starting and self._wanted < self._tested:
                self._wanted = min(before, self._tested)
                if before > self._tested:
                    self._cohorts_to_dip = 0
        self._starting = False

    def _learn_from_dip(self, reading: Reading) -> None:
        kept = reading.flight / self._times.slowdown(reading) / self._busy
        much_lost = kept < _MUCH_LOST
        change = self._times.correct(
            reading, slower=kept < _LITTLE_LOST, forget=much_lost and self._much_lost
        )
        settled = _SURPRISES[0] < change < _SURPRISES[1] and not much_lost
        self._dip_after = min(2 * self._dip_after, _LAST_DIP) if settled else _FIRST_DIP
        self._much_lost = much_lost
        # Where half of the places cost throughput, fewer would leave it to others.
        self._tested = self._wanted * (1.0 if kept < _LITTLE_LOST else _UNTESTED)
        self._end_dip()

    def _end_dip(self) -> None:
        self._dip = None
        self._cohorts_to_dip = self._dip_after
        self._set()

    def _set(self) -> None:
        most = min(self._ceiling.places, self._most)
        least = min(self._least, most)
        self._wanted = min(max(self._wanted, least), most)
        # What is sent behind a dip's requests does not keep them waiting, so it need not wait.
        share = _DIP if self._dip is not None and not self._dip.full else 1.0
        self.limit = max(1, round(max(share * self._wanted, least)))
