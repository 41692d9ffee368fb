"""What the tests of shipped pipelines share: rows for each, and the engine's result for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import read_run, run
from kfp_sdg.pipelines import SHIPPED_FOLDER
from kfp_sdg.storage import fingerprint, read_rows
from kfp_sdg.teacher import TeacherOptions, connect

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.engine import RunResult
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.storage import HistoryEntry

# The stub's verdicts are drawn by hash: with fewer rows, filters may leave none. Of the grounded
# skills all rows have the same text, so their questions are about scale factor / 3 new ones.
INSTRUCTIONS = 3
INSTRUCTIONS_GROUNDED = 30
MODEL = "stub-model"
TWO_TEACHERS = ("mistralai/Mixtral-8x7B-Instruct-v0.1", "ibm-granite/granite-3.1-8b-instruct")

KNOWLEDGE = [
    {
        "icl_document": f"The mill of valley {i} grinds oats.",
        "icl_query_1": "What does the mill grind?",
        "icl_response_1": "Oats.",
        "icl_query_2": "Where is the mill?",
        "icl_response_2": f"In valley {i}.",
        "icl_query_3": "How many mills are there?",
        "icl_response_3": "One.",
        "document": f"Chapter {i}. The harbour of town {i} was dredged twice.",
        "document_outline": "The harbours of the coast",
        "domain": "geography",
        "leaf_node_path": f"knowledge_coast_{i % 2}",
    }
    for i in range(4)
]
FREEFORM = [
    {
        "task_description": "Writing limericks",
        "seed_question": f"Write a limerick about {thing}.",
        "seed_response": f"There once was a {thing} in a hat.",
        "leaf_node_path": "compositional_skills_limericks",
    }
    for thing in (f"clock number {i}" for i in range(20))
]
GROUNDED = [{**row, "seed_context": "Limericks have five lines."} for row in FREEFORM]
ROWS = {
    "freeform_skills": FREEFORM,
    "grounded_skills": GROUNDED,
    "knowledge": KNOWLEDGE,
    "mmlu_bench": KNOWLEDGE,
}
EXAMPLE_ROWS = {
    "examples/seed_sample": "examples/demo_rows.jsonl",
    "examples/custom_block/pipeline": "examples/custom_block/rows.jsonl",
}


def rows_for(name: str, folder: Path) -> Path:
    if name.startswith("examples/"):
        return SHIPPED_FOLDER / EXAMPLE_ROWS.get(name, f"{name}_rows.jsonl")
    path = folder / "rows.jsonl"
    rows = ROWS[name.rpartition("/")[2]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def counts(entry: HistoryEntry) -> dict[str, Any]:
    """A block's books without what time and place make of them."""
    of_time = {"seconds", "wait_seconds", "latency_p50", "latency_p95", "latency_p99"}
    return {name: getattr(entry, name) for name in entry.__slots__ if name not in of_time}


def instructions_for(name: str) -> int:
    return INSTRUCTIONS_GROUNDED if "grounded" in name else INSTRUCTIONS


def engines_result(spec: PipelineSpec, rows: Path, url: str, instructions: int) -> RunResult:
    """Run a pipeline in this process, asking one server under all names."""
    endpoints = dict.fromkeys(TWO_TEACHERS, url)
    with connect(TeacherOptions(url=url, endpoints=endpoints)) as teachers:
        context = PipelineContext(
            teachers=teachers, model_id=MODEL, num_instructions_to_generate=instructions
        )
        return run(spec, read_rows(rows), context)


def same_rows(result: RunResult, expected: RunResult, written: Path) -> None:
    """Both have the same rows, rejected rows and books, and so has what was written."""
    assert expected.rows.num_rows > 0
    assert result.rows.to_pylist() == expected.rows.to_pylist()
    assert fingerprint(result.rows) == fingerprint(expected.rows)
    assert {block: fingerprint(table) for block, table in result.rejected.items()} == {
        block: fingerprint(table) for block, table in expected.rejected.items()
    }
    assert [counts(entry) for entry in result.history] == [
        counts(entry) for entry in expected.history
    ]
    for entry in result.history:
        assert entry.rows_in + entry.added == (
            entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        )
    assert fingerprint(read_run(written).rows) == fingerprint(expected.rows)
