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
        in_flight: Those of them that it was still waiting for; nobody can save these.
        resumed: Answers that the second run asked for.
        repeated: Answers of both runs beyond those that one undisturbed run needs; None where the
            second run failed.
        rows: Rows that came out of the second run, None where it failed.
        third: Answers that a third run asked for, when all was done; None where the second failed.
        problem: What went wrong in the second or third run.
    """

    system: str
    killed_at: int
    in_flight: int
    resumed: int
    repeated: int | None = None
    rows: int | None = None
    third: int | None = None
    problem: str = ""

    def cells(self, ideal: int) -> list[str]:
        """Return a line of the table."""
        share = "" if self.repeated is None else f" ({self.repeated / ideal:.0%})"
        results = (self.repeated, self.rows, self.third)
        repeated, rows, third = ("-" if value is None else str(value) for value in results)
        counts = map(str, (self.killed_at, self.in_flight, self.resumed))
        return [self.system, *counts, repeated + share, rows, third]


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
        ("system", "killed at", "in flight", "resumed", "repeated", "rows", "third run"),
        [result.cells(ideal) for result in results],
        [asdict(result) for result in results],
        "Counts of answers asked for. Ideal: nothing repeated but what was in flight, "
        f"{ideal} answers in all, {rows} rows, a third run that asks nothing.",
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

    half, expected = scenario.answers // 2, flows.expected_rows(scenario.flow, scenario.rows)
    in_flight = 0

    def half_way() -> bool:
        nonlocal in_flight
        begun, in_flight = server.count()
        return begun >= half

    def go(stop_when: Callable[[], bool] = lambda: False) -> tuple[Cost, int]:
        server.reset(scenario.settings)
        cost = run(
            command.arguments,
            folder=place,
            environment=command.environment,
            limit=LIMIT,
            stop_when=stop_when,
        )
        return cost, server.count()[0]

    _, killed_at = go(half_way)
    second, resumed = go()
    rows = system.rows(place, second.output)
    problem = problem_of(second, rows, expected)
    if second.code:
        return Resumed(system.name, killed_at, in_flight, resumed, problem=problem)
    last, third = go()
    again = problem_of(last, system.rows(place, last.output), expected)
    return Resumed(
        system=system.name,
        killed_at=killed_at,
        in_flight=in_flight,
        resumed=resumed,
        repeated=killed_at + resumed - scenario.answers,
        rows=rows,
        third=third,
        problem=problem or (again and f"third run: {again}"),
    )
