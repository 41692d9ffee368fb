"""Signals as a terminal's processes have them."""

from __future__ import annotations

import signal


def reset_signals() -> None:
    """Undo what a shell's background job or nohup hands down; for ``preexec_fn``."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
