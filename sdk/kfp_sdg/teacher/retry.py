"""When a request is asked again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FULL_JITTER = 4
"""After so many attempts a wait lasts half its bound at least."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, and an ear for the server's own wish.

    Full jitter (a random wait between nothing and the doubled bound) spreads clients that failed
    together; see "Exponential Backoff and Jitter", AWS Architecture Blog, 2015. Later waits last
    half their bound at least ("equal jitter" there), so that eight retries outlast 40 s of errors
    however the dice fall.

    Attributes:
        retries: How often a request may be asked again.
        first_delay: Bound of the first wait in seconds; doubled for each further one.
        longest_delay: The bound's own bound in seconds.
        longest_wish: A server that wants a longer wait than this many seconds is given up.
        longest_time: Seconds that a request may be asked again in, whatever it was told.
        timeout_retries: How many of the retries may follow a time-out; each lasts minutes, and a
            server that hangs would hold a request for hours.
    """

    retries: int = 8
    first_delay: float = 0.5
    longest_delay: float = 30.0
    longest_wish: float = 300.0
    longest_time: float = 600.0
    timeout_retries: int = 2

    def at_most(self, retries: int) -> RetryPolicy:
        """Return this policy with no more than so many retries."""
        return replace(self, retries=min(retries, self.retries))

    def delay(
        self,
        attempt: int,
        retry_after: float | None = None,
        *,
        timeouts: int = 0,
        spared: int = 0,
        elapsed: float = 0.0,
    ) -> float | None:
        """Return the seconds to wait before asking again, or None to give up.

        Args:
            attempt: How often the request was asked so far, from 1.
            retry_after: What the server asked for, in seconds.
            timeouts: How many of these times no answer came within the time limit.
            spared: How many of these times it could not be the request's fault; they do not
                count, unless nothing may be asked again at all.
            elapsed: Seconds since the request failed first.
        """
        if attempt - spared > self.retries or timeouts > self.timeout_retries or not self.retries:
            return None
        bound = min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))
        least = 0.0 if attempt <= _FULL_JITTER else bound / 2
        jitter = random.uniform(least, bound)  # noqa: S311 - spreads load, guards nothing
        # Never sooner than asked; the jitter on top keeps the herd from returning as one.
        delay = jitter if retry_after is None else retry_after + min(jitter, 1.0)
        wish = retry_after or 0.0
        too_long = wish > self.longest_wish or elapsed + wish > self.longest_time
        return None if too_long else delay


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header: seconds or an HTTP date (RFC 9110, 10.2.3).

    Args:
        value: The header's value; None where it was not sent.
        now: The time that a date is counted from; the present one if None.

    Returns:
        Seconds from now, at least 0; None where nothing usable was sent.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if seconds == seconds else None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
