"""Pipelines as KFP runs them on this machine, against the engine."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest

from kfp_runs import DROP_B, PROMPT, ROWS, Notes, write_rows
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.engine import read_run, run
from kfp_sdg.errors import BlockError, StorageError, TeacherError
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from kfp_sdg.storage import fingerprint, read_rows
from kfp_sdg.teacher import TeacherOptions, connect
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.engine import RunResult

JOIN = BlockSpec(
    "join",
    "CombineColumnsBlock",
    {"columns": ["text", "kind"], "output_col": "both", "separator": " {{-}} "},
    drop_columns=("text",),
    drop_duplicates=("both",),
)
ASK = BlockSpec(
    "gen_q",
    "LLMBlock",
    {
        "config_path": "q.yaml",
        "output_cols": ["question"],
        "gen_kwargs": {"n": "scaled", "temperature": 0.7, "max_tokens": 64},
    },
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.jsonl", ROWS)


def same_rows(result: RunResult, expected: RunResult) -> None:
    """Both have the same rows, rejected rows, and books (but for the seconds)."""
    assert result.rows.to_pylist() == expected.rows.to_pylist()
    assert fingerprint(result.rows) == fingerprint(expected.rows)
    assert result.rejected.keys() == expected.rejected.keys()
    for name, table in expected.rejected.items():
        assert fingerprint(result.rejected[name]) == fingerprint(table)
    for ours, theirs in zip(result.history, expected.history, strict=True):
        assert (ours.block, ours.type, ours.rows_in, ours.rows_out, ours.rejected_by_reason) == (
            theirs.block,
            theirs.type,
            theirs.rows_in,
            theirs.rows_out,
            theirs.rejected_by_reason,
        )
        assert ours.groups == theirs.groups


def test_a_pipeline_of_column_blocks_gives_the_engines_rows_and_leaves_nothing_else(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    printer = builtins.print
    spec = PipelineSpec((DROP_B, JOIN))
    notes = Notes()

    result = run_with_kfp(spec, rows, tmp_path / "out", observer=notes)

    same_rows(result, run(spec, read_rows(rows), PipelineContext()))
    assert result.rows.num_rows == 2
    same_rows(read_run(tmp_path / "out"), result)
    assert notes.started == [
        (1, 2, "drop b", "FilterByValueBlock", 4),
        (2, 2, "join", "CombineColumnsBlock", 3),
    ]
    assert tuple(notes.finished) == result.history
    assert notes.stopped is None
    assert list(here.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert builtins.print is printer


def test_a_pipeline_that_asks_the_teacher_gives_the_engines_rows(
    rows: Path, tmp_path: Path, stub_teacher: StubTeacher
) -> None:
    spec = PipelineSpec((DROP_B, ASK, JOIN), files={"q.yaml": PROMPT})
    with connect(TeacherOptions(url=stub_teacher.url)) as teachers:
        context = PipelineContext(teachers=teachers, num_instructions_to_generate=3)
        expected = run(spec, read_rows(rows), context)

    options = LocalRunOptions(teacher_url=stub_teacher.url, num_instructions_to_generate=3)
    result = run_with_kfp(spec, rows, tmp_path / "out", options)

    same_rows(result, expected)
    assert result.history[1].rows_out == 9
    assert result.history[1].requests > 0


def test_rows_whose_answers_do_not_parse_are_kept_with_their_block(
    rows: Path, tmp_path: Path
) -> None:
    def answer(ask: Any) -> str:
        return "no tags" if "rivers" in str(ask) else "[Question]Why?[End]"

    spec = PipelineSpec((ASK,), files={"q.yaml": PROMPT})
    with StubTeacher(answer=answer) as stub:
        options = LocalRunOptions(teacher_url=stub.url, num_instructions_to_generate=1)
        result = run_with_kfp(spec, rows, tmp_path / "out", options)
    assert result.rows.num_rows == 3
    (rejected,) = result.rejected["gen_q"].to_pylist()
    assert rejected["rejected_answer"] == "no tags"
    assert (tmp_path / "out" / "rejected" / "gen_q" / "_manifest.json").is_file()


def test_a_failing_block_fails_in_its_own_words_and_what_was_finished_is_handed_over(
    rows: Path, tmp_path: Path
) -> None:
    needs = BlockSpec("rename", "RenameColumnsBlock", {"columns_map": {"nowhere": "x"}})
    spec = PipelineSpec((DROP_B, needs, JOIN))
    with pytest.raises(BlockError) as theirs:
        run(PipelineSpec((needs,)), read_rows(rows), PipelineContext())
    notes = Notes()

    with pytest.raises(BlockError) as ours:
        run_with_kfp(spec, rows, tmp_path / "out", observer=notes)

    assert str(ours.value) == str(theirs.value)
    assert (ours.value.block_name, ours.value.block_type) == ("rename", "RenameColumnsBlock")
    assert "rename: 3 rows in" in str(ours.value.__cause__)  # the task's log, for --debug
    assert "base image" not in str(ours.value.__cause__)  # a warning of KFP that warns of nothing
    assert notes.stopped is not None
    partial, block_name = notes.stopped
    assert block_name == "rename"
    assert [entry.block for entry in partial.history] == ["drop b"]
    assert partial.rows.num_rows == 3
    assert not (tmp_path / "out" / "dataset").exists()


def test_rows_may_be_at_a_url(rows: Path, tmp_path: Path) -> None:
    result = run_with_kfp(PipelineSpec((DROP_B,)), rows.as_uri(), tmp_path / "out")
    assert result.rows.num_rows == 3


def test_rows_that_cannot_be_read_are_the_error_of_the_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.jsonl"):
        run_with_kfp(PipelineSpec((DROP_B,)), tmp_path / "nowhere.jsonl", tmp_path / "out")


def test_a_teacher_that_refuses_the_key_is_the_teachers_error(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_SDG_API_KEY", "wrong-key")
    spec = PipelineSpec((ASK,), files={"q.yaml": PROMPT})
    with StubTeacher(api_key="right-key") as stub, pytest.raises(TeacherError) as caught:
        run_with_kfp(spec, rows, tmp_path / "out", LocalRunOptions(teacher_url=stub.url))
    assert stub.url in str(caught.value)
    assert "wrong-key" not in str(caught.value)
    assert "wrong-key" not in str(caught.value.__cause__)


def test_an_output_folder_with_other_things_is_refused_before_anything_runs(
    rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.odt").touch()
    notes = Notes()
    with pytest.raises(StorageError, match=r"thesis\.odt"):
        run_with_kfp(PipelineSpec((DROP_B,)), rows, tmp_path / "out", observer=notes)
    assert notes.started == []
