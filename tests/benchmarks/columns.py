"""Column blocks on Arrow kernels beside the same step by row functions of `datasets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measuring import measure_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.tables import Report

_ROWS = """
import pyarrow as pa
n = {rows}
table = pa.table({{
    "question": [f"What is item {{i}} about?" for i in range(n)],
    "response": [f"Item {{i}} is about its topic. " * 4 for i in range(n)],
    "score": [str(i % 3) for i in range(n)],
}})
"""
_OURS = """
from kfp_sdg.blocks import Account, PipelineContext
from kfp_sdg.blocks.catalog import make_block
from kfp_sdg.spec import PipelineSpec
block = make_block(PipelineContext(), PipelineSpec(()), "b", {type!r}, {config!r})
"""
_THEIRS = """
import datasets; datasets.disable_progress_bars(); datasets.disable_caching()
rows = datasets.Dataset(table, fingerprint='0')
"""

BLOCKS: Sequence[tuple[str, str, Mapping[str, object], str]] = (
    (
        "filter, cast to float, == 2",
        "FilterByValueBlock",
        {
            "filter_column": "score",
            "filter_value": 2.0,
            "operation": "eq",
            "convert_dtype": "float",
        },
        "rows.filter(lambda row: float(row['score']) == 2.0)",
    ),
    (
        "combine two columns",
        "CombineColumnsBlock",
        {"columns": ["question", "response"], "output_col": "both"},
        "rows.map(lambda row: {'both': row['question'] + '\\n\\n' + row['response']})",
    ),
    (
        "duplicate a column",
        "DuplicateColumnsBlock",
        {"columns_map": {"question": "copy"}},
        "rows.add_column('copy', rows['question'])",
    ),
)


def bench(report: Report, rows: int, runs: int) -> None:
    """Measure each block and its rival."""
    data = _ROWS.format(rows=rows)
    figures = []
    for name, kind, config, rival in BLOCKS:
        _, ours, _ = measure_python(
            "block.apply(table, Account())",
            setup=data + _OURS.format(type=kind, config=config),
            runs=runs,
        )
        _, theirs, _ = measure_python(rival, setup=data + _THEIRS, runs=runs)
        figures.append({"block": name, "ours": ours, "datasets": theirs, "ratio": theirs / ours})
    report.add(
        f"Column blocks, {rows:,} rows",
        ("block", "ours s", "datasets s", "ratio"),
        [
            (f["block"], f"{f['ours']:.4f}", f"{f['datasets']:.3f}", f"{f['ratio']:.0f}×")
            for f in figures
        ],
        figures,
    )
