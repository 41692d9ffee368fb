"""A block's progress as plain lines, one every few seconds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from kfp_sdg.runtime.console import say

if TYPE_CHECKING:
    from kfp_sdg.teacher import Usage

SECONDS_BETWEEN_LINES = 5.0


class PlainProgress:
    """Prints lines such as ``gen_questions: 120/400 rows, 3 rejected``."""

    def __init__(self, block_name: str, rows: int, *, every: float = SECONDS_BETWEEN_LINES) -> None:
        """Start to count.

        Args:
            block_name: The block's name.
            rows: How many rows it is given.
            every: Seconds that have to pass between two lines.
        """
        self._block_name = block_name
        self._rows = rows
        self._every = every
        self._done = self._rejected = self._tokens = 0
        self._next = time.monotonic() + every
        self._lock = threading.Lock()

    def advance(self, rows: int, *, rejected: int, usage: Usage) -> None:
        """Count further rows, and print a line if the last one is old enough.

        Args:
            rows: Input rows finished since the last call.
            rejected: Rows rejected since the last call.
            usage: What their answers cost.
        """
        with self._lock:
            self._done += rows
            self._rejected += rejected
            self._tokens += usage.completion_tokens
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + self._every
            line = f"{self._block_name}: {self._done:,}/{self._rows:,} rows"
            if self._rejected:
                line += f", {self._rejected:,} rejected"
            if self._tokens:
                line += f", {self._tokens:,} tokens"
        say(line)
