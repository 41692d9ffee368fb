"""Measures kfp-sdg beside what it is compared with; ``make bench`` runs it.

    make bench                 everything but the peers
    make bench PEERS=1         the peers too, installed under build/bench-venvs
    make bench ARGS="--quick"  a tenth of the rows, one process per figure
    make bench ARGS="--only speed --json figures.json"
    make bench ARGS="--only quality --keep"   after a change of prompts

Every system runs in a fresh process, in turn with the others, against a server in a process of its
own. Nothing here fails on time. A machine that does something else meanwhile gives other figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import (
    columns,
    compiling,
    journaling,
    quality,
    resume,
    slots,
    starts,
    systems,
    teacher,
)
from benchmarks.scenarios import SLOTS, SPEED, Scenario
from benchmarks.server import ServerProcess
from benchmarks.stub_server import Settings
from benchmarks.tables import Report, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = ("starts", "columns", "compile", "speed", "slots", "journal", "resume", "quality")
JOURNALED = Scenario("A", 5_000)
RESUMED = Scenario("B", 400, Settings(slots=16))


def read_arguments() -> argparse.Namespace:
    """Read what is to be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", action="store_true", help="install and measure the peers too")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one run each")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    parser.add_argument("--match", default="", help="only speed scenarios with this in the title")
    parser.add_argument("--runs", type=int, default=3, help="processes per small figure")
    parser.add_argument("--repeats", type=int, default=1, help="runs of a flow; the median counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.gguf", help="a better model for quality"
    )
    parser.add_argument("--keep", action="store_true", help="keep quality's figures for comparison")
    return parser.parse_args()


def bench_flows(report: Report, options: argparse.Namespace) -> None:
    """Run the sections that need a teacher."""

    def sized(scenarios: Sequence[Scenario]) -> list[Scenario]:
        return [scenario.shorter() if options.quick else scenario for scenario in scenarios]

    fast, resuming, missing = systems.peers() if options.peers else ([], [], [])
    with ServerProcess() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in options.only:
            teacher.bench(
                report,
                [s for s in sized(SPEED) if options.match in s.title],
                fast,
                missing,
                server=server,
                folder=folder,
                repeats=options.repeats,
            )
        if "slots" in options.only:
            slots.bench(report, sized(SLOTS), server=server, folder=folder, repeats=options.repeats)
        if "journal" in options.only:
            (scenario,) = sized([JOURNALED])
            journaling.bench(report, scenario, server=server, folder=folder, runs=options.runs)
        if "resume" in options.only:
            resume.bench(report, RESUMED, resuming, server=server, folder=folder)


def main() -> None:
    """Print every table that was asked for."""
    options = read_arguments()
    if options.quick:
        options.runs = options.repeats = 1
    begin, about, report = time.monotonic(), machine(), Report()
    report.say(f"{about['processor']}, {about['cores']} cores, load {about['load']:.1f}")
    if "starts" in options.only:
        starts.bench(report, options.runs)
    if "columns" in options.only:
        columns.bench(report, 10_000 if options.quick else 100_000, options.runs)
    if "compile" in options.only:
        compiling.bench(report, options.runs)
    if set(options.only) & {"speed", "slots", "journal", "resume"}:
        bench_flows(report, options)
    if "quality" in options.only:
        quality.bench(report, weights=options.weights, keep=options.keep)
    if options.json:
        report.write(options.json, about)
    report.say(f"{(time.monotonic() - begin) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
