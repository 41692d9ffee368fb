"""The figures of prompts: what counts as an answer, as parsed and as passed."""

from __future__ import annotations

import pytest

from benchmarks.quality import measure
from kfp_sdg.pipelines import shipped
from kfp_sdg.spec import load_pipeline
from kfp_sdg.storage import HistoryEntry

SPEC = load_pipeline(shipped("instructlab/full/freeform_skills"))


def entry(block: str, rows_in: int, rows_out: int, **books: object) -> HistoryEntry:
    types = {block.name: block.type for block in SPEC.blocks}
    return HistoryEntry(block, types[block], rows_in, rows_out, **books)  # type: ignore[arg-type]


def test_shares_are_of_all_answers_and_of_the_rows_that_reach_each_judge() -> None:
    history = [
        entry("gen_questions", 4, 6, requests=4, rejected=1, rejected_by_reason={"parse": 1}),
        entry("eval_questions", 6, 6, requests=6),
        entry("filter_questions", 6, 3, filtered=3),
        entry("gen_responses", 3, 3, requests=3),
        entry("evaluate_qa_pair", 3, 2, requests=3, rejected=1, rejected_by_reason={"parse": 1}),
        entry("filter_qa_pair", 2, 1, filtered=1),
    ]
    quality = measure("full", SPEC, history, 1.5)
    assert (quality.seeds, quality.answers, quality.rows) == (4, 16, 1)
    assert quality.parsed == pytest.approx(14 / 16)
    assert quality.passed == pytest.approx(1 / 4)


def test_a_pipeline_whose_rows_reach_no_judge_has_no_share_of_passed_rows() -> None:
    history = [entry("gen_questions", 4, 0, requests=4), entry("filter_questions", 0, 0)]
    assert measure("full", SPEC, history, 1.0).passed is None
