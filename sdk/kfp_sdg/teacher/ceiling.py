"""What a server's refusals say about how much it takes."""

from __future__ import annotations

_HOLD = 32
"""Cohorts (about four a round trip) for which a ceiling is not tried."""
_STEP = 1.01
"""By how much it is raised per cohort after that."""
_REFUTED = 1.25
"""Answers to requests sent at this multiple of the ceiling say that it is none."""
_FUTILE = 3
_MUTE = 64
"""After so many refusals below a ceiling that holds, refusals mean nothing for so many cohorts."""
_MEMORY = 32
"""Requests over which the share of refusals is averaged."""


class Ceiling:
    """The places at which a server refuses (429, 503, time-outs), remembered for a while.

    Once learnt it holds for some cohorts, then it is tried upwards in small steps, as in CUBIC
    (RFC 9438). A server that refuses some requests whatever their number is not obeyed.
    """

    def __init__(self, most: int) -> None:
        """No refusal yet."""
        self.places = float(most)
        self._most = float(most)
        self._hold = 0
        self._muted = 0
        self._futile = 0
        self._refused = 0.0
        self._last = float("-inf")

    @property
    def most_are_refused(self) -> bool:
        """Whether the greater part of the last requests was refused."""
        return self._refused > 0.5

    def answered(self) -> None:
        """Count an answer."""
        self._refused -= self._refused / _MEMORY

    def refused(self, places: int, flight: int, at: float, now: float) -> bool:
        """Count a refusal.

        Args:
            places: Places that the request took.
            flight: Places in flight when it was sent, its own included.
            at: When it was sent.
            now: The present moment.

        Returns:
            Whether to send fewer: at most once for those that were sent before we did.
        """
        self._refused += (1.0 - self._refused) / _MEMORY
        if at <= self._last or (self._muted and not self.most_are_refused):
            return False
        self._last = now
        below = self._hold > 0 and flight <= self.places
        self._futile = self._futile + 1 if below else 0
        if self._futile >= _FUTILE and not self.most_are_refused:
            self._muted = _MUTE
            self.places = self._most
            return False
        self.places = max(1.0, float(flight - places))
        self._hold = _HOLD
        return True

    def cohort(self, most_in_flight: int) -> None:
        """Let time go by: a cohort was answered, sent at up to so many places in flight."""
        self._muted = max(0, self._muted - 1)
        if most_in_flight > _REFUTED * self.places and not self.most_are_refused:
            self.places = float(most_in_flight)
        if self._hold:
            self._hold -= 1
        else:
            self.places = min(self._most, self.places * _STEP)
