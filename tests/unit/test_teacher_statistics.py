"""What asking a teacher takes, counted per block."""

from __future__ import annotations

import math
import random
import threading

import pytest

from kfp_sdg.teacher import Usage
from kfp_sdg.teacher.histogram import LONGEST, RELATIVE_ERROR, SHORTEST, TimeHistogram
from kfp_sdg.teacher.statistics import RequestStatistics

DICE = random.Random(3)
SHARES = (0.0, 0.5, 0.95, 0.99, 1.0)
SPREADS = {
    "all the same": [0.1] * 1000,
    "around a second": [DICE.gauss(1, 0.2) for _ in range(5000)],
    "a long tail": [DICE.lognormvariate(0, 2) for _ in range(5000)],
    "two humps": [DICE.gauss(0.05, 0.005) for _ in range(900)] + [30.0] * 100,
    "a single one": [7.25],
    "powers of the bounds": [1.02**n for n in range(-400, 400)],
}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", SPREADS)
def test_a_quantile_is_within_two_percent_of_the_exact_one(name: str, share: float) -> None:
    times = SPREADS[name]
    histogram = TimeHistogram()
    for time in times:
        histogram.add(time)
    exact = sorted(times)[math.floor(share * (len(times) - 1))]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.02)
    assert histogram.quantile(share) == pytest.approx(exact, rel=RELATIVE_ERROR + 1e-9)


def test_no_time_is_no_latency() -> None:
    assert TimeHistogram().quantile(0.5) == 0.0
    assert RequestStatistics().latency(0.99) == 0.0


@pytest.mark.parametrize("time", [0.0, -1.0, 1e-9, 1e9, math.inf])
def test_times_out_of_range_count_as_the_nearest_that_is_told_apart(time: float) -> None:
    histogram = TimeHistogram()
    histogram.add(time)
    nearest = SHORTEST if time < 1 else LONGEST
    assert histogram.quantile(0.5) == pytest.approx(nearest, rel=0.02)


def test_memory_does_not_grow_with_the_times_counted() -> None:
    histogram = TimeHistogram()
    for exponent in range(-6000, 6000):
        histogram.add(10 ** (exponent / 1000))
    assert len(histogram.counts) < 2100


def test_a_histogram_can_be_read_while_another_thread_adds() -> None:
    histogram, ended = TimeHistogram(), threading.Event()

    def add() -> None:
        for n in range(30_000):
            histogram.add(1e-3 * 1.0007**n % 1e4)
        ended.set()

    thread = threading.Thread(target=add)
    thread.start()
    while not ended.is_set():
        assert histogram.quantile(0.5) <= histogram.quantile(1.0)
    thread.join()
    assert sum(histogram.counts.values()) == 30_000


def noted(times: list[float], *causes: str) -> RequestStatistics:
    """Return the statistics of requests that took so long, and of retries."""
    statistics = RequestStatistics()
    for time in times:
        statistics.note_wait(0.25)
        statistics.note_answer(time, Usage(1, 10, 5))
    for cause in causes:
        statistics.note_retry(cause)
    return statistics


def test_answers_waits_retries_and_journal_hits_are_counted() -> None:
    statistics = noted([0.1, 0.1, 0.1, 2.0], "timeout", "429", "429")
    statistics.note_journal_hit()
    assert statistics.usage == Usage(4, 40, 20)
    assert statistics.waited == 1.0
    assert statistics.journal_hits == 1
    assert list(statistics.retries_by_cause.items()) == [("429", 2), ("timeout", 1)]
    assert statistics.latency(0.5) == pytest.approx(0.1, rel=0.02)
    assert statistics.latency(1.0) == pytest.approx(2.0, rel=0.02)
    assert len(str(statistics.latency(1.0))) <= 5  # 1.993, and no 1.9929999999


def test_merged_statistics_are_those_of_all_requests_together() -> None:
    times = SPREADS["a long tail"]
    one, other = noted(times[:4000], "429"), noted(times[4000:], "429", "500")
    other.note_journal_hit()
    one.parse_failures, other.parse_failures = 1, 2
    one.merge(other)
    together = noted(times, "429", "429", "500")
    together.note_journal_hit()
    together.parse_failures = 3
    assert one == together
    assert len(other.latencies.counts) > 10  # the other keeps its own
