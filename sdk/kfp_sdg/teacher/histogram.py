"""Quantiles of times, in little memory and without keeping the times."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

RELATIVE_ERROR = 0.005
"""How far a quantile may be off, as a share of it."""

SHORTEST = 1e-4
LONGEST = 1e5
"""Seconds that are told apart; what is shorter or longer counts as these."""

# The buckets of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch
# with relative-error guarantees", VLDB 2019): bucket i holds what lies in (g^(i-1), g^i], and
# 2 g^i / (g + 1) is within the relative error of every value in it.
_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_LOG = 1 / math.log(_GROWTH)


@dataclass(slots=True)
class TimeHistogram:
    """Counts times in buckets whose bounds grow by a constant factor.

    It has about 2,080 buckets at most, however many times are added. One thread adds, any thread
    may read.

    Attributes:
        counts: How many times each bucket holds, by the bucket's number; no entry where none.
    """

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        """Count a time in seconds."""
        told_apart = min(max(seconds, SHORTEST), LONGEST)
        bucket = math.ceil(math.log(told_apart) * _PER_LOG)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, other: TimeHistogram) -> None:
        """Count all that another histogram counted."""
        for bucket, count in other.counts.copy().items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def quantile(self, share: float) -> float:
        """Return the time that a share of all times did not exceed.

        Args:
            share: From 0 (the shortest) to 1 (the longest); 0.5 is the median.

        Returns:
            The time of rank ``floor(share * (n - 1))`` in seconds, off by ``RELATIVE_ERROR`` of it
            at most; 0.0 where nothing was counted.
        """
        counts = sorted(self.counts.copy().items())  # the copy is made in one step
        rank = math.floor(share * (sum(count for _, count in counts) - 1))
        below = 0
        for bucket, count in counts:
            below += count
            if below > rank:
                return float(2 * _GROWTH**bucket / (_GROWTH + 1))
        return 0.0
