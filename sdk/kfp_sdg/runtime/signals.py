"""SIGTERM in order: what is on its way is still taken in, then the process ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_ONE_SIGNAL_SECONDS = 1.0
"""Some senders mean one signal and send it twice: timeout(1) to the process, then to its group."""


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Raise ``Terminated`` in the main thread at a SIGTERM while the block of code runs.

    That is where the engine begins to end in order. A second SIGTERM ends the process at once,
    wherever it is: nothing of ours needs more to be consistent, since it has to bear a SIGKILL too.
    A SIGTERM that is ignored stays ignored. Outside the main thread, which alone may handle
    signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if before in (signal.SIG_IGN, None):  # None: not Python's
        yield
        return
    signal.signal(signal.SIGTERM, _Endings())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Endings:
    """A handler of SIGTERM that knows the first one from the second."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            raise Terminated
        if now - self._first >= _ONE_SIGNAL_SECONDS:
            os.write(2, b"Stopped at once by a second SIGTERM.\n")
            os._exit(Terminated.EXIT_CODE)
