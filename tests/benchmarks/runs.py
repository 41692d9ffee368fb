"""One run of one system in a fresh process, as figures."""

from __future__ import annotations

import shutil
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import flows
from benchmarks.measuring import run

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measuring import Cost
    from benchmarks.scenarios import Scenario
    from benchmarks.server import ServerProcess
    from benchmarks.systems import System


@dataclass(frozen=True)
class Figures:
    """What a run took. Seconds, MB and shares.

    Attributes:
        system: Its name.
        problem: Why the figures are not to be trusted; empty where the right rows came out.
        wall: Seconds from start to end of the process.
        span: Seconds from the first request to the last answer, by the server.
        utilisation: Busy slot seconds over slots times span, by the server.
        rows_per_second: Rows that went in, over span.
        requests_per_second: Requests, over span.
        requests: HTTP requests for answers.
        answers: Answers that the server wrote.
        most_in_flight: The most answers that it was asked for at a time.
        mean_in_flight: The mean of that over the span.
        cpu: CPU seconds of all the system's processes per 1,000 answers of the flow.
        cpu_after_start: The same without what was used before the first request.
        pss: Peak memory of all its processes, shared pages once.
        rss: Peak memory with shared pages in each process.
        server_cpu: Share of one core that the server used.
        timeline: Utilisation of each half second.
    """

    system: str
    problem: str
    wall: float
    span: float
    utilisation: float
    rows_per_second: float
    requests_per_second: float
    requests: int
    answers: int
    most_in_flight: int
    mean_in_flight: float
    cpu: float
    cpu_after_start: float
    pss: float
    rss: float
    server_cpu: float
    timeline: tuple[float, ...]

    def times(self, other: Figures) -> float | None:
        """Return the span in spans of another run; None where one of them failed."""
        return None if self.problem or other.problem else self.span / other.span

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def measure(
    system: System, scenario: Scenario, server: ServerProcess, folder: Path, repeats: int
) -> Figures:
    """Run a system as often as asked, each time in a fresh process and an empty folder.

    Args:
        system: What to run.
        scenario: What it does.
        server: The server; its counts start anew for each run.
        folder: Where it may write; what is there is removed.
        repeats: How often.

    Returns:
        The figures of the run with the median span.
    """
    all_figures = [_measure(system, scenario, server, folder) for _ in range(repeats)]
    broken = [figures for figures in all_figures if figures.problem]
    if broken:
        return broken[0]
    middle = statistics.median_low(figures.span for figures in all_figures)
    return next(figures for figures in all_figures if figures.span == middle)


def _measure(system: System, scenario: Scenario, server: ServerProcess, folder: Path) -> Figures:
    shutil.rmtree(folder, ignore_errors=True)
    flows.write(folder, scenario.flow, scenario.rows, scenario.n)
    server.reset(scenario.settings)
    command = system.command(server.url, scenario.flow)
    limit = 120 + 20 * scenario.optimum[1]
    cost = run(command.arguments, folder=folder, environment=command.environment, limit=limit)
    expected = flows.expected_rows(scenario.flow, scenario.rows, scenario.n)
    problem = problem_of(cost, system.rows(folder, cost.output), expected)
    stats = server.stats()
    span = stats["span"]
    per_second = 1 / span if span else 0.0
    thousands = scenario.answers / 1000
    start = cost.cpu_until(stats["first"]) if stats["first"] else cost.cpu
    return Figures(
        system=system.name,
        problem=problem,
        wall=cost.wall,
        span=span,
        utilisation=stats["utilisation"],
        rows_per_second=scenario.rows * per_second,
        requests_per_second=stats["requests"] * per_second,
        requests=stats["requests"],
        answers=stats["answers"],
        most_in_flight=stats["most_in_flight"],
        mean_in_flight=stats["mean_in_flight"],
        cpu=cost.cpu / thousands,
        cpu_after_start=(cost.cpu - start) / thousands,
        pss=cost.pss,
        rss=cost.rss,
        server_cpu=stats["cpu"] * per_second,
        timeline=tuple(stats["timeline"]),
    )


def problem_of(cost: Cost, rows: int | None, expected: int) -> str:
    """Say what is wrong with a run; nothing where it returned the right number of rows."""
    if cost.code:
        ended = f"signal {-cost.code}" if cost.code < 0 else f"exit code {cost.code}"
        last = [line.strip() for line in cost.output.splitlines() if line.strip()]
        return f"{ended}: {last[-1] if last else 'no output'}"
    if rows != expected:
        return f"{rows} rows came out instead of {expected}"
    return ""
