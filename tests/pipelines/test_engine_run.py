"""The engine with a teacher that misbehaves: every row is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import Observer, read_run, run, write_run
from kfp_sdg.errors import TeacherError
from kfp_sdg.spec import BlockSpec, ConfigFile, PipelineSpec
from kfp_sdg.teacher import TeacherOptions, connect

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.engine import RunResult
    from stub_answers import Ask
    from stub_teacher import StubTeacher

PROMPT = ConfigFile(
    "ask.yaml",
    {
        "system": "",
        "introduction": "About {{topic}}",
        "principles": "",
        "examples": "",
        "generation": "[Q] and [A]",
        "start_tags": ["[Q]", "[A]"],
        "end_tags": ["[/Q]", "[/A]"],
    },
)
ASK = BlockSpec(
    "ask",
    "LLMBlock",
    {
        "config_path": "ask.yaml",
        "output_cols": ["question", "answer"],
        "model_family": "blank",
        "gen_kwargs": {"n": 2, "temperature": 0.5, "max_tokens": 50},
    },
    drop_columns=("answer",),
    drop_duplicates=("topic", "question"),
)
SHORT = BlockSpec("short", "RenameColumnsBlock", {"columns_map": {"question": "q"}})
TOPICS = pa.table({"topic": ["good", "torn", "poison", "same"], "id": [1, 2, 3, 4]})


def answer(ask: Ask) -> str:
    """Answer by the topic: one answer of "torn" lacks a tag, those of "same" are equal."""
    if "torn" in ask.prompt and ask.place == 1:
        return "[Q]why[/Q] and then nothing"
    place = 0 if "same" in ask.prompt else ask.place
    return f"[Q]why {place}[/Q][A]so[/A]"


@pytest.fixture
def result(stub_teacher: StubTeacher) -> RunResult:
    stub_teacher._answer = answer
    stub_teacher.poison = {"poison": 400}
    with connect(TeacherOptions(url=stub_teacher.url)) as teachers:
        spec = PipelineSpec((ASK, SHORT), {"ask.yaml": PROMPT})
        return run(spec, TOPICS, PipelineContext(teachers=teachers))


def test_every_row_is_in_the_output_or_in_the_books(result: RunResult) -> None:
    assert result.rows.to_pylist() == [
        {"topic": "good", "id": 1, "q": "why 0"},
        {"topic": "good", "id": 1, "q": "why 1"},
        {"topic": "torn", "id": 2, "q": "why 0"},
        {"topic": "same", "id": 4, "q": "why 0"},
    ]
    asked = result.history[0]
    assert asked.rows_in + asked.added == asked.rows_out + asked.duplicates + asked.rejected
    assert (asked.rows_in, asked.added, asked.duplicates, asked.rejected) == (4, 3, 1, 2)
    assert asked.rejected_by_reason == {"parse": 1, "teacher": 1}
    assert asked.model == "stub-model"
    assert asked.completion_tokens > 0


def test_rejected_rows_are_found_beside_the_output_with_reason_and_answer(
    result: RunResult, tmp_path: Path
) -> None:
    write_run(result, tmp_path)
    rejected = read_run(tmp_path).rejected["ask"].to_pylist()
    assert [(row["topic"], row["id"], row["rejected_reason"]) for row in rejected] == [
        ("torn", 2, "parse"),
        ("poison", 3, "teacher"),
    ]
    assert rejected[0]["rejected_answer"] == "[Q]why[/Q] and then nothing"


def test_a_model_that_is_not_there_stops_a_run_before_its_first_block(
    stub_teacher: StubTeacher,
) -> None:
    started: list[str] = []

    class Watching(Observer):
        def block_started(self, index, total, name, *about: object) -> None:
            started.append(name)

    copy = BlockSpec("copy", "DuplicateColumnsBlock", {"columns_map": {"id": "copy"}})
    spec = PipelineSpec((copy, ASK), {"ask.yaml": PROMPT})
    with connect(TeacherOptions(url=stub_teacher.url)) as teachers:
        context = PipelineContext(teachers=teachers, model_id="other")
        with pytest.raises(TeacherError, match="'other'"):
            run(spec, TOPICS, context, observer=Watching())
    assert started == []
    assert stub_teacher.requests == []
