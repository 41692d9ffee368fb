"""What the journal costs while a run goes on, and how fast it is read back."""

from __future__ import annotations

import shutil
import statistics
from typing import TYPE_CHECKING

from benchmarks import flows
from benchmarks.measuring import run
from benchmarks.runs import measure, problem_of
from benchmarks.systems import OURS, OURS_WITHOUT_JOURNAL

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.scenarios import Scenario
    from benchmarks.server import ServerProcess
    from benchmarks.tables import Report


def bench(
    report: Report, scenario: Scenario, *, server: ServerProcess, folder: Path, runs: int
) -> None:
    """Run with and without a journal in turn, then once from a full journal alone."""
    figures = []
    for name, system in (("with", OURS), ("without", OURS_WITHOUT_JOURNAL)):
        report.say(f"Journal: {scenario.title}, {name}")
        all_runs = [measure(system, scenario, server, folder / "run", 1) for _ in range(runs)]
        for problem in {one.problem for one in all_runs if one.problem}:
            report.warn(f"{system.name}: {problem}")
        cpu = statistics.median(one.cpu_after_start for one in all_runs)
        busy = statistics.median(one.utilisation for one in all_runs)
        memory = statistics.median(one.pss for one in all_runs)
        figures.append({"what": f"{name} journal", "cpu": cpu, "busy": busy, "memory": memory})
    report.add(
        f"Journal: {scenario.title}, median of {runs}",
        ("run", "busy", "CPU s/1,000 without start", "peak MB"),
        [(f["what"], f"{f['busy']:.1%}", f"{f['cpu']:.3f}", f"{f['memory']:.0f}") for f in figures],
        figures,
    )
    _read_back(report, scenario, server, folder)


def _read_back(report: Report, scenario: Scenario, server: ServerProcess, folder: Path) -> None:
    """Run twice with the same journal; the second run must ask for nothing."""
    place, journal = folder / "run", folder / "journal"
    for old in (place, journal):
        shutil.rmtree(old, ignore_errors=True)
    flows.write(place, scenario.flow, scenario.rows, scenario.n)
    expected = flows.expected_rows(scenario.flow, scenario.rows, scenario.n)
    cells, figures = [], []
    for name in ("writes the journal", "reads it"):
        report.say(f"Journal: {scenario.title}, {name}")
        server.reset(scenario.settings)
        command = OURS.command(server.url, scenario.flow, journal)
        cost = run(command.arguments, folder=place, environment=command.environment, limit=600)
        problem = problem_of(cost, OURS.rows(place, cost.output), expected)
        if problem:
            report.warn(f"The run that {name}: {problem}")
        size = sum(file.stat().st_size for file in journal.rglob("*") if file.is_file())
        requests, per_answer = server.stats()["requests"], size / scenario.answers
        figures.append(
            {
                "what": name,
                "wall": cost.wall,
                "cpu": cost.cpu,
                "memory": cost.pss,
                "requests": requests,
                "bytes_per_answer": per_answer,
                "problem": problem,
            }
        )
        cells.append(
            (
                name,
                str(requests),
                f"{cost.wall:.1f}",
                f"{cost.cpu:.1f}",
                f"{cost.pss:.0f}",
                f"{per_answer:.0f}",
            )
        )
    report.add(
        f"A journal read back: {scenario.title}",
        ("run that", "requests", "whole s", "CPU s", "peak MB", "bytes/answer"),
        cells,
        figures,
    )
