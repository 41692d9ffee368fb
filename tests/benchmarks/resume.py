"""Killed half way, resumed, and run once more: what has to be paid for twice."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks import flows
from benchmarks.measuring import run
from benchmarks.runs import problem_of
from benchmarks.systems import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.measuring import Cost
    from benchmarks.scenarios import Scenario
    from benchmarks.server import ServerProcess
    from benchmarks.systems import System
    from benchmarks.tables import Report

LIMIT = 60.0  # seconds for a run; a peer that hangs on resuming is killed then


@dataclass(frozen=True)
class Resumed:
    """What three runs of one job asked for.

    Attributes:
        system: Its name.
        killed_at: Answers that the first run had asked for when it was killed.
        resumed: Answers that the second run asked for.
        waste: Answers of both beyond those that one undisturbed run needs, as a share of these;
            None where the second run failed.
        rows: Rows that came out of the second run, None where it failed.
        third: Answers that a third run asked for, when all was done; None where the second failed.
        problem: What went wrong in the second or third run.
    """

    system: str
    killed_at: int
    resumed: int
    waste: float | None
    rows: int | None
    third: int | None
    problem: str


def bench(
    report: Report,
    scenario: Scenario,
    peers: Sequence[System],
    *,
    server: ServerProcess,
    folder: Path,
) -> None:
    """Kill each system with SIGKILL when half of the answers were asked for, and go on."""
    results = []
    for system in (OURS, *peers):
        report.say(f"Resume: {scenario.title}, {system.name}")
        results.append(_measure(system, scenario, server, folder))
    ideal, rows = scenario.answers, flows.expected_rows(scenario.flow, scenario.rows)
    report.add(
        f"Killed and resumed: {scenario.title}",
        ("system", "killed at", "asked on resuming", "waste", "rows", "asked by a third run"),
        [
            (
                result.system,
                str(result.killed_at),
                str(result.resumed),
                "-" if result.waste is None else f"{result.waste:+.1%}",
                "-" if result.rows is None else str(result.rows),
                "-" if result.third is None else str(result.third),
            )
            for result in results
        ],
        [asdict(result) for result in results],
        f"ideal: {ideal} answers in all, {rows} rows, and none asked by a third run.",
    )
    for result in results:
        if result.problem:
            report.warn(f"{result.system}: {result.problem}")


def _measure(system: System, scenario: Scenario, server: ServerProcess, folder: Path) -> Resumed:
    place, kept = folder / "run", folder / "kept"
    for old in (place, kept):
        shutil.rmtree(old, ignore_errors=True)
    flows.write(place, scenario.flow, scenario.rows)
    command = system.command(server.url, scenario.flow, kept)

    def go(stop_when: Callable[[], bool] = lambda: False) -> tuple[Cost, int]:
        server.reset(scenario.settings)
        cost = run(
            command.arguments,
            folder=place,
            environment=command.environment,
            limit=LIMIT,
            stop_when=stop_when,
        )
        return cost, server.count()

    half, expected = scenario.answers // 2, flows.expected_rows(scenario.flow, scenario.rows)
    _, killed_at = go(lambda: server.count() >= half)
    second, resumed = go()
    rows = system.rows(place, second.output)
    problem = problem_of(second, rows, expected)
    if second.code:
        return Resumed(system.name, killed_at, resumed, None, None, None, problem)
    last, third = go()
    again = problem_of(last, system.rows(place, last.output), expected)
    waste = (killed_at + resumed) / scenario.answers - 1
    problem = problem or (again and f"third run: {again}")
    return Resumed(system.name, killed_at, resumed, waste, rows, third, problem)
