"""Python's garbage collector in a process that does one piece of work and ends."""

from __future__ import annotations

import atexit
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RARELY = (20_000, 20, 50)
"""New objects between two looks of the garbage collector, and how often it looks at older ones. A
run keeps thousands of requests and rows, which it would look through every 700 objects: a tenth of
the CPU time of 10,000 answers."""


def collect_rarely() -> None:
    """Let the collector look less often, and not at all when the process ends.

    At its end Python looks through all that was ever imported, some 100 ms of CPU for pyarrow, rich
    and KFP, to give back memory that goes back anyway. What registered itself for the end
    (temporary folders, logs) has its turn before.
    """
    gc.set_threshold(*_RARELY)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Let the collector look less often while a task runs, for the process may be a notebook's."""
    before = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
