"""SIGTERM, as a pod gets it that is evicted."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.errors import Terminated
from kfp_sdg.runtime.signals import terminated_in_order
from signals import reset_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK = """
import queue, time
from kfp_sdg.errors import Terminated
from kfp_sdg.runtime.console import plain_console, say

with plain_console():
    try:
        say("works")
        queue.SimpleQueue().get()  # as the engine waits for answers
    except Terminated:
        say("drains")
        {drain}
        say("drained")
        raise
"""


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """The handler of SIGTERM that these tests begin with, however they were started."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def started(drain: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", TASK.format(drain=drain)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=reset_signals,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "works\n"
    return process


def test_a_task_that_is_stopped_may_end_in_order_and_its_status_says_so() -> None:
    process = started("pass")
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert out.splitlines() == ["drains", "drained"]
    assert err == "error: stopped by SIGTERM\n"
    assert process.returncode == 143


def test_a_second_signal_ends_the_orderly_end() -> None:
    process = started("time.sleep(600)")
    process.terminate()
    assert process.stdout is not None
    assert process.stdout.readline() == "drains\n"
    while process.poll() is None:
        process.terminate()
        time.sleep(0.1)
    out, err = process.communicate(timeout=60)
    assert out == ""
    assert err == "Stopped at once by a second SIGTERM.\n"
    assert process.returncode == 143


def test_a_signal_that_is_sent_to_the_process_and_to_its_group_is_one() -> None:
    with terminated_in_order():
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_the_handler_from_before_is_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminated_in_order():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with terminated_in_order():
        signal.raise_signal(signal.SIGTERM)


def test_a_thread_that_may_not_handle_signals_works_all_the_same() -> None:
    done = []

    def work() -> None:
        with terminated_in_order():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_the_end_of_a_process_is_no_error_that_somebody_may_catch() -> None:
    assert not issubclass(Terminated, Exception)
    assert Terminated().code == 143
