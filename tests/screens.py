"""Help for tests of what a person sees of a run."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from rich.console import Console

from kfp_sdg.storage import HistoryEntry


def books(block: str, rows_in: int, rows_out: int, **more: Any) -> HistoryEntry:
    """Return a block's books; what is not given is 0."""
    seconds = {"seconds": 1.0}
    return HistoryEntry(block, "LLMBlock", rows_in, rows_out, **(seconds | more))


ASKED = books(
    "gen_questions",
    1000,
    2900,
    added=2000,
    duplicates=40,
    rejected=60,
    rejected_by_reason={"parse": 58, "teacher": 2},
    requests=750,
    prompt_tokens=1_234_567,
    completion_tokens=89_000,
    retries=123,
    retries_by_cause={"429": 120, "timeout": 3},
    journal_hits=250,
    wait_seconds=480.0,
    latency_p50=0.523,
    latency_p95=1.93,
    latency_p99=12.1,
    seconds=75.0,
)
FILTERED = books("a_block_with_quite_a_long_name", 2900, 2000, filtered=900)


class Screen:
    """A console that writes into memory."""

    def __init__(self, width: int, *, terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, width=width, force_terminal=terminal, color_system=None
        )

    @property
    def text(self) -> str:
        return self.file.getvalue()


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    """Wait until something another thread does has happened."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    pytest.fail("it did not happen")
