"""A word about a server that fails for a while; a run that only waits looks like one that hangs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

logger = logging.getLogger(__name__)

_QUIET_SECONDS = 10.0
"""Between two warnings: a server under load refuses some requests and answers others."""


@dataclass(slots=True)
class Outage:
    """Warns once of each outage of one server, from its first repeated request to an answer.

    Attributes:
        url: The server's base URL.
    """

    url: str
    _told: bool = False
    _last: float | None = None

    def repeats(self, why: str) -> None:
        """Say that a request is asked again, unless that was said of this outage, or just now.

        Args:
            why: What happened to the request.
        """
        now = time.monotonic()
        if self._told or (self._last is not None and now - self._last < _QUIET_SECONDS):
            return
        self._told, self._last = True, now
        logger.warning("teacher at %s: %s; trying again", self.url, why)

    def ends(self) -> None:
        """Take note that the server answered."""
        self._told = False
