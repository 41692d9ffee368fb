"""How well kfp-sdg finds the concurrency of servers that nobody described to it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.runs import measure
from benchmarks.systems import OURS, aiohttp_loop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.runs import Figures
    from benchmarks.scenarios import Scenario
    from benchmarks.server import ServerProcess
    from benchmarks.tables import Report

STEP = 0.5  # seconds of one place of a timeline; see stub_server
NEAR = 0.95
_COLUMNS = (
    "system",
    "busy",
    "rows/s",
    "× time",
    "near the best after s",
    "in flight: most",
    "mean",
    "CPU s/1,000",
)
_NOTE = f"near the best: a half second with {NEAR:.0%} of what the best fixed setting holds."


def bench(
    report: Report,
    scenarios: Sequence[Scenario],
    *,
    server: ServerProcess,
    folder: Path,
    repeats: int,
) -> None:
    """Compare with fixed settings: as many in flight as there are slots, twice, and four times."""
    for scenario in scenarios:
        fixed = [aiohttp_loop(k * scenario.settings.slots) for k in (1, 2, 4)]
        figures = []
        for system in (OURS, *fixed):
            report.say(f"{scenario.title}: {system.name}")
            figures.append(measure(system, scenario, server, folder / "run", repeats))
        _show(report, scenario, figures)


def _show(report: Report, scenario: Scenario, figures: Sequence[Figures]) -> None:
    best, seconds = scenario.optimum
    plateau = max((_plateau(f.timeline) for f in figures[1:] if not f.problem), default=0.0)
    cells = [["(best possible)", f"{best:.1%}", f"{scenario.rows / seconds:.0f}", *[""] * 5]]
    kept = []
    for figure in figures:
        settled = settled_after(figure.timeline, plateau)
        kept.append(figure.as_dict() | {"settled_after": settled})
        cells.append(_line(figure, figures[0], settled))
        if figure.problem:
            report.warn(f"{figure.system}: {figure.problem}")
    report.add(f"Unknown slots: {scenario.title}", _COLUMNS, cells, kept, _NOTE)


def _line(figures: Figures, ours: Figures, settled: float | None) -> list[str]:
    if figures.problem:
        return [f"{figures.system}: failed", *[""] * (len(_COLUMNS) - 1)]
    times = figures.times(ours)
    return [
        figures.system,
        f"{figures.utilisation:.1%}",
        f"{figures.rows_per_second:.0f}",
        "" if times is None else f"{times:.2f}",
        "never" if settled is None else f"{settled:.1f}",
        str(figures.most_in_flight),
        f"{figures.mean_in_flight:.0f}",
        f"{figures.cpu:.2f}",
    ]


def _plateau(timeline: Sequence[float]) -> float:
    return statistics.median(timeline) if timeline else 0.0


def settled_after(timeline: Sequence[float], plateau: float) -> float | None:
    """Return the seconds before the first half second near the plateau; None: there is none."""
    near = (place for place, busy in enumerate(timeline) if busy >= NEAR * plateau)
    place = next(near, None)
    return None if place is None else place * STEP
