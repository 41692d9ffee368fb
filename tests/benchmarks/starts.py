"""What every pod pays before it does anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import measure_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.tables import Report

STARTS: Sequence[tuple[str, str]] = (
    ("import kfp_sdg", "import kfp_sdg"),
    (
        "a column block, ready to run",
        "from kfp_sdg.blocks.catalog import block_class; block_class('FilterByValueBlock')",
    ),
    (
        "an LLM block, ready to run",
        "from kfp_sdg.blocks.catalog import block_class; block_class('LLMBlock')",
    ),
    ("import pyarrow (comparison)", "import pyarrow"),
    ("import openai (comparison)", "import openai"),
    ("import datasets (comparison)", "import datasets"),
    ("import kfp (comparison)", "import kfp"),
)


def bench(report: Report, runs: int) -> None:
    """Measure what starting costs, beside the imports that it avoids."""
    figures = []
    for name, work in STARTS:
        cpu, _, memory = measure_python(work, runs=runs)
        figures.append({"what": name, "cpu": cpu, "memory": memory})
    report.add(
        "Start of a process",
        ("what", "CPU s", "peak MB"),
        [(f["what"], f"{f['cpu']:.3f}", f"{f['memory']:.0f}") for f in figures],
        figures,
    )
