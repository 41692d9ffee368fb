"""How busy each system keeps a teacher, and what that costs, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.runs import measure
from benchmarks.systems import OURS, OURS_WITHOUT_JOURNAL, aiohttp_loop, openai_loop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.runs import Figures
    from benchmarks.scenarios import Scenario
    from benchmarks.server import ServerProcess
    from benchmarks.systems import Missing, System
    from benchmarks.tables import Report

COLUMNS = (
    "system",
    "busy",
    "rows/s",
    "req/s",
    "× time",
    "whole s",
    "CPU s",
    "w/o start",
    "MB",
    "server",
)
_NOTE = (
    "busy: slot seconds used, of all from first request to last answer. × time: that span, in "
    "spans of kfp-sdg. CPU s: of all processes, per 1,000 answers; w/o start: from the first "
    "request on. MB: peak PSS. server: share of a core that the server itself used."
)


def bench(
    report: Report,
    scenarios: Sequence[Scenario],
    peers: Sequence[System],
    missing: Sequence[Missing],
    *,
    server: ServerProcess,
    folder: Path,
    repeats: int,
) -> None:
    """Run every system on every scenario, in turn."""
    for scenario in scenarios:
        slots = scenario.settings.slots
        systems = [OURS, OURS_WITHOUT_JOURNAL, aiohttp_loop(2 * slots), openai_loop(slots)]
        systems += peers if scenario.with_peers else []
        figures = []
        for system in systems:
            report.say(f"{scenario.title}: {system.name}")
            figures.append(measure(system, scenario, server, folder / "run", repeats))
        _show(report, scenario, figures, missing if scenario.with_peers else [])


def _show(
    report: Report, scenario: Scenario, figures: Sequence[Figures], missing: Sequence[Missing]
) -> None:
    best, seconds = scenario.optimum
    ours = figures[0]
    blank = [""] * (len(COLUMNS) - 3)
    cells = [["(best possible)", f"{best:.1%}", f"{scenario.rows / seconds:.0f}", *blank]]
    cells += [_line(figure, ours) for figure in figures]
    cells += [[f"{peer.name}: not installed", *[""] * (len(COLUMNS) - 1)] for peer in missing]
    kept = [figure.as_dict() | {"times": figure.times(ours)} for figure in figures]
    kept += [{"system": peer.name, "problem": peer.why} for peer in missing]
    optimum = {"system": "optimum", "utilisation": best, "span": seconds}
    report.add(scenario.title, COLUMNS, cells, [optimum, *kept], _NOTE)
    for figure in figures:
        if figure.problem:
            report.warn(f"{figure.system}: {figure.problem}")
    for peer in missing:
        report.warn(f"{peer.name} is not installed: {peer.why}")


def _line(figures: Figures, ours: Figures) -> list[str]:
    """Return a line of the table; one that failed shows no figures."""
    if figures.problem:
        return [f"{figures.system}: failed", *[""] * (len(COLUMNS) - 1)]
    times = figures.times(ours)
    return [
        figures.system,
        f"{figures.utilisation:.1%}",
        f"{figures.rows_per_second:.0f}",
        f"{figures.requests_per_second:.0f}",
        "" if times is None else f"{times:.2f}",
        f"{figures.wall:.1f}",
        f"{figures.cpu:.2f}",
        f"{figures.cpu_after_start:.2f}",
        f"{figures.pss:.0f}",
        f"{figures.server_cpu:.0%}",
    ]
