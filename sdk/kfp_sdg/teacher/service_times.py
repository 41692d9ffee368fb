"""How long an answer of each kind takes at a server that has nothing else to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.teacher.cohorts import Reading

_SMOOTHING = 0.25
_HARDLY = 1.25
"""A cohort that takes less than this multiple may owe it to chance; with more, a queue would be
taken for service, which nothing corrects later as long as half the places still have a queue."""
_FEW = 8
"""Fewer places of a kind than this say nothing about it."""
_STRETCH = 2.0
"""How far a time may rise above the lowest one by a single dip's word. vLLM's answers take that
much longer in a full batch; so do those of a server that others keep busy, and there the bound
keeps us from growing against them for ever."""
_FORGOTTEN = 1.25
"""The step by which the lowest time rises, when dips say again and again that nobody waits."""


class ServiceTimes:
    """Seconds of service by kind, told apart from seconds of waiting.

    A kind's time falls as soon as its answers are quicker. It rises only after a dip: if fewer
    requests in flight made them no quicker, nobody was waiting.
    """

    def __init__(self) -> None:
        """Nothing is known."""
        self._alone: dict[str, float] = {}
        self._met: dict[str, int] = {}
        self._lowest: dict[str, float] = {}
        self._recent: dict[str, float] = {}
        self._wait = 0.0
        self._slowdown = 1.0

    def alone(self, kind: str) -> float:
        """Return the seconds of a kind; 0.0 if it has not been met."""
        return self._alone.get(kind, 0.0)

    def meet(self, reading: Reading) -> bool:
        """Take first figures of kinds that are new; whether there were any.

        A new kind is mostly met in a queue: a block begins when the one before it is at full speed.
        How long the known kinds waited beside it is what it waited; the average of earlier cohorts
        lags behind a queue that is growing, and the rest of the wait would count as service.
        """
        new = reading.places.keys() - self._alone.keys()
        wait, slowdown = self._wait, self._slowdown
        if new and (known := reading.places.keys() & self._alone.keys()):
            spent, alone, total = self._sums(reading, known)
            wait, slowdown = max(0.0, spent - alone) / total, max(1.0, spent / alone)
        for kind in new:
            took = reading.seconds[kind]
            # A queue adds the same to all kinds, a shared batch a share of each; we want neither.
            alone = max(took - wait, took / slowdown)
            self._alone[kind] = alone
            self._met[kind] = reading.places[kind]
            self._recent[kind] = took
        return bool(new)

    def slowdown(self, reading: Reading) -> float:
        """Return how many times longer requests took than alone, at least 1.

        Short answers behind long ones wait for many times their own service, which says nothing
        about how many are waiting; so the wait is held against what was in flight.
        """
        spent, alone, total = self._sums(reading)
        wait = (spent - alone) / total
        if wait <= 0:
            return 1.0
        in_line = 1.0 + wait / reading.mean_alone if reading.mean_alone else spent / alone
        return min(spent / alone, in_line)

    def refine(self, reading: Reading) -> None:
        """Average the first figures with those of a cohort that hardly waited."""
        spent, alone, _ = self._sums(reading)
        if spent > _HARDLY * alone:
            return
        for kind, took in reading.seconds.items():
            self._met[kind] += reading.places[kind]
            share = reading.places[kind] / self._met[kind]
            self._alone[kind] += share * (took - self._alone[kind])

    def follow(self, reading: Reading) -> None:
        """Learn from a cohort at the usual limit: waits, and answers quicker than thought."""
        spent, alone, total = self._sums(reading)
        self._wait += _SMOOTHING * (max(0.0, spent - alone) / total - self._wait)
        self._slowdown += _SMOOTHING * (max(1.0, spent / alone) - self._slowdown)
        for kind, took in reading.seconds.items():
            share = reading.places[kind] / total
            self._recent[kind] += _SMOOTHING * share * (took - self._recent[kind])
            if self._recent[kind] < self._alone[kind]:
                self._alone[kind] = self._recent[kind]
                if kind in self._lowest:
                    self._lowest[kind] = min(self._lowest[kind], self._recent[kind])

    def correct(self, reading: Reading, *, slower: bool, forget: bool) -> float:
        """Learn from a dip.

        Args:
            reading: The cohort sent during the dip.
            slower: Times may rise, up to a multiple of the lowest ever.
            forget: The lowest may rise too, by a step.

        Returns:
            By what factor the times changed.
        """
        _, before, _ = self._sums(reading)
        for kind, took in reading.seconds.items():
            if reading.places[kind] < _FEW:
                continue
            # A dip may still have a queue, so its word is not taken for the lowest without bound.
            lowest = self._lowest.get(kind, min(took, self._alone[kind]))
            lowest *= _FORGOTTEN if forget else 1.0
            highest = _STRETCH * lowest if slower else 0.0
            self._alone[kind] = min(took, max(self._alone[kind], highest))
            self._recent[kind] = max(self._recent[kind], self._alone[kind])
            self._lowest[kind] = min(lowest, self._alone[kind])
        _, after, _ = self._sums(reading)
        return after / before

    def _sums(
        self, reading: Reading, kinds: Iterable[str] | None = None
    ) -> tuple[float, float, int]:
        """Return seconds spent, seconds of service and places of a cohort's kinds, all met."""
        places = {kind: reading.places[kind] for kind in kinds or reading.places}
        spent = sum(places[kind] * reading.seconds[kind] for kind in places)
        alone = sum(places[kind] * self._alone[kind] for kind in places)
        return spent, alone, sum(places.values())
