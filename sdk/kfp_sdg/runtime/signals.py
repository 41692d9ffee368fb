"""SIGTERM in order: what is on its way is still taken in, then the process ends."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Raise ``Terminated`` in the main thread at a SIGTERM while the block of code runs.

    The first one is where the engine begins to end in order; a second one interrupts that and ends
    it at once. Further ones change nothing, so that the process can clean up. A SIGTERM that is
    ignored stays ignored. Outside the main thread, which alone may handle signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTERM, _Endings())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Endings:
    """A handler of SIGTERM that counts."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count <= 2:
            raise Terminated
