"""The yardstick itself: what the benchmarks' server, optimum and measuring promise."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import flows
from benchmarks.measuring import run
from benchmarks.optimum import optimum
from benchmarks.runs import measure
from benchmarks.scenarios import Scenario
from benchmarks.server import ServerProcess
from benchmarks.slots import settled_after
from benchmarks.stub_server import Settings, Slots
from benchmarks.systems import Driven, aiohttp_loop

if TYPE_CHECKING:
    from pathlib import Path


def test_an_answer_waits_for_a_slot_and_holds_it_for_its_latency() -> None:
    slots = Slots(Settings(latency=2.0, slots=2))
    assert slots.take(1, now=10.0) == 12.0
    assert slots.take(2, now=11.0) == 14.0  # one at 11 on the free slot, one at 12
    assert slots.busy(10.0, 14.0) == pytest.approx(6.0 / 8.0)


def test_the_optimum_of_equal_latencies_loses_the_last_round_only() -> None:
    share, seconds = optimum(Settings(latency=0.1, slots=64), "A", 1000)
    assert seconds == pytest.approx(1.6)  # 15 full rounds and one with 40 of 64
    assert share == pytest.approx(1000 / 64 / 16)


def test_the_optimum_of_unequal_latencies_loses_the_tail() -> None:
    share, _ = optimum(Settings(latency=1.0, jitter=0.5, slots=64), "A", 1000)
    assert 0.94 < share < 0.97


@pytest.mark.parametrize("flow", ["A", "B"])
def test_the_bare_loop_returns_the_rows_that_every_system_must_return(
    flow: str, tmp_path: Path
) -> None:
    scenario = Scenario(flow, 40, Settings(latency=0.02, slots=8))
    with ServerProcess() as server:
        figures = measure(aiohttp_loop(16), scenario, server, tmp_path / "run", 1)
    assert figures.problem == ""
    assert figures.answers == scenario.answers
    assert figures.most_in_flight == 16
    assert 0 < figures.utilisation <= scenario.optimum[0] + 0.001


def test_a_system_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    broken = Driven("broken", "no_such_driver.py")
    with ServerProcess() as server:
        figures = measure(broken, Scenario("A", 4), server, tmp_path / "run", 1)
    assert figures.problem.startswith("exit code 2")
    assert "no_such_driver.py" in figures.problem
    assert figures.times(figures) is None


def test_the_cost_of_a_command_holds_that_of_its_children(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    command = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    cost = run([sys.executable, "-c", command], folder=tmp_path, environment={}, limit=60)
    assert cost.code == 0
    assert cost.cpu >= 0.3


def test_a_command_above_its_limit_is_killed_with_its_children(tmp_path: Path) -> None:
    command = "import subprocess; subprocess.run(['sleep', '600'])"
    cost = run([sys.executable, "-c", command], folder=tmp_path, environment={}, limit=0.5)
    assert cost.code == -9


def test_the_judge_keeps_three_rows_of_four() -> None:
    assert flows.expected_rows("B", 400) == 300
    assert flows.expected_rows("A", 400, n=10) == 4000


def test_a_timeline_settles_where_it_first_comes_near_the_plateau() -> None:
    assert settled_after([0.2, 0.5, 0.93, 0.97], 1.0) == 1.5
    assert settled_after([0.2, 0.5], 1.0) is None
