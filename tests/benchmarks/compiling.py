"""How long a pipeline takes to compile into KFP's format; importing kfp is not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import measure_python

if TYPE_CHECKING:
    from benchmarks.tables import Report

_SETUP = """
import kfp
from kfp_sdg.compiler import compile_pipeline
from kfp_sdg.spec import BlockSpec, ConfigFile, PipelineSpec
parts = ("system", "principles", "examples")
config = {{part: "" for part in parts}}
config |= {{"introduction": "x" * 1500, "generation": "{{{{document}}}}"}}
blocks = tuple(
    BlockSpec(f"gen_{{i}}", "LLMBlock", {{"config_path": "p.yaml", "output_cols": [f"out_{{i}}"]}})
    for i in range({blocks})
)
spec = PipelineSpec(blocks, files={{"p.yaml": ConfigFile("p.yaml", config)}})
"""


def bench(report: Report, runs: int) -> None:
    """Compile pipelines of LLM blocks with a prompt of 1.5 KB each."""
    figures = []
    for blocks in (5, 20, 50):
        _, wall, _ = measure_python(
            "compile_pipeline(spec).to_yaml('ir')", setup=_SETUP.format(blocks=blocks), runs=runs
        )
        figures.append({"blocks": blocks, "wall": wall})
    report.add(
        "Compile",
        ("blocks", "wall s"),
        [(str(f["blocks"]), f"{f['wall']:.2f}") for f in figures],
        figures,
    )
