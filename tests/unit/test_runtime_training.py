"""The task that makes training data of what the pipelines generated."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from kfp_sdg.instructlab.preprocess import preprocess, write_preprocessed
from kfp_sdg.instructlab.rows import seed_rows
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from kfp_sdg.runtime.training import check_leaves, postprocess_taxonomy
from kfp_sdg.storage import GroupBooks, HistoryEntry, write_dataset
from runtime_artifacts import Artifact
from taxonomies import skill, write_leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = "2026-01-31T12_00_00"
GIVES, MUTE = "compositional_skills_gives", "compositional_skills_mute"
INPUTS = ("knowledge", "freeform_skills", "grounded_skills", "evaluation")
OUTPUTS = ("training_data", "knowledge_train", "skills_train", "metrics", "report")


@pytest.fixture
def task(tmp_path: Path) -> dict[str, Any]:
    """The task's artifacts: a skill that gave seven answers, one of them empty, and one without."""
    for leaf in (GIVES, MUTE):
        folder = leaf.replace("skills_", "skills/")
        write_leaf(tmp_path / "taxonomy", folder, skill())
    leaves = read_taxonomy(tmp_path / "taxonomy")
    write_preprocessed(preprocess(leaves, {}), tmp_path / "leaves")
    write_dataset(tmp_path / "seed_rows", seed_rows(leaves))
    for name in INPUTS:
        write_dataset(tmp_path / name, pa.table({}))
    rows = [
        {
            "leaf_node_type": "freeform_skill",
            "leaf_node_path": GIVES,
            "task_description": "Write a haiku.",
            "question": f"About {i}?",
            "response": f"Line {i}." if i else "",
        }
        for i in range(7)
    ]
    write_dataset(tmp_path / "freeform_skills", pa.Table.from_pylist(rows), [history()])
    names = ("leaves", "seed_rows", *INPUTS, *OUTPUTS)
    artifacts = {name: Artifact(str(tmp_path / name)) for name in names}
    return {**artifacts, "empty_leaves": str(tmp_path / "empty_leaves")}


def history() -> HistoryEntry:
    books = {
        GIVES: GroupBooks(rows_in=5, rows_out=7),
        MUTE: GroupBooks(rows_in=5, rows_out=0, rejected_by_reason={"parse": 3}),
    }
    return HistoryEntry(
        "ask", "LLMBlock", 10, 7, added=2, filtered=2, rejected=3, groups=books,
        rejected_by_reason={"parse": 3},
    )  # fmt: skip


def error_of(capsys: pytest.CaptureFixture[str], task: Mapping[str, Any], **inputs: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        postprocess_taxonomy(**{**task, **inputs})
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_one_folder_holds_all_files_and_the_mixes_are_datasets_too(task: dict[str, Any]) -> None:
    postprocess_taxonomy(**task, date_suffix=SUFFIX)
    folder = Path(task["training_data"].path)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        f"preprocessed_{SUFFIX}/{GIVES}.jsonl",
        f"preprocessed_{SUFFIX}/{MUTE}.jsonl",
        f"generated_{SUFFIX}/{GIVES}.jsonl",
        f"generated_{SUFFIX}/{MUTE}.jsonl",
        f"node_datasets_{SUFFIX}/{GIVES}.jsonl",
        f"test_{SUFFIX}.jsonl",
        f"train_{SUFFIX}.jsonl",
        f"messages_{SUFFIX}.jsonl",
        f"knowledge_recipe_{SUFFIX}.yaml",
        f"skills_recipe_{SUFFIX}.yaml",
        f"skills_train_msgs_{SUFFIX}.jsonl",
        f"run_{SUFFIX}/rejected_for_training.jsonl",
    }
    assert task["knowledge_train"].stored.table.num_rows == 0
    table = task["skills_train"].stored.table
    assert table.column_names[:2] == ["id", "messages"]
    assert task["metrics"].metadata == {
        "leaves": 2,
        "empty_leaves": 1,
        "generated_rows": 7,
        "rows_in_training_data": 6,
        "test_questions": 0,
        "knowledge_train_rows": 0,
        "skills_train_rows": table.num_rows,
    }
    assert task["training_data"].metadata["date_suffix"] == SUFFIX


def test_the_page_shows_the_question_after_a_long_document(task: dict[str, Any]) -> None:
    row = {
        "leaf_node_type": "grounded_skill",
        "leaf_node_path": GIVES,
        "question": "Begin. " + "Rain falls. " * 50 + "Where does it fall?",
        "response": "Everywhere.",
    }
    write_dataset(task["freeform_skills"].path, pa.Table.from_pylist([row]), [history()])
    postprocess_taxonomy(**task, date_suffix=SUFFIX)
    page = Path(task["report"].path).read_text(encoding="utf-8")
    assert re.search(r"\| Begin\. [^|]* … [^|]*Where does it fall\? \| Everywhere\. \|", page)


def test_the_page_tells_of_each_leaf_and_why_one_gave_nothing(task: dict[str, Any]) -> None:
    postprocess_taxonomy(**task, date_suffix=SUFFIX)
    page = Path(task["report"].path).read_text(encoding="utf-8").replace("\\", "")
    assert f"- {MUTE}: 5 seed rows; 3 rejected at ask (parse), 2 filtered at ask" in page
    assert f"| {GIVES} | freeform_skill | 5 | 7 | 1 | 0 | 0 | 6 |  |" in page
    assert f"| {MUTE} | freeform_skill | 5 | 0 | 3 | 2 | 0 | 0 |  |" in page
    assert f"| {MUTE} | freeform_skill | ask | parse | 3 |" in page
    mix = page.partition(f"## skills_train_msgs_{SUFFIX}.jsonl: first 5 of 30 rows")[2]
    assert mix.startswith("\n\n| user | assistant |\n")
    assert mix.count("| Line ") == 5
    assert "knowledge_train_msgs" not in page


def test_generated_rows_that_cannot_be_used_are_kept_with_the_reason(task: dict[str, Any]) -> None:
    postprocess_taxonomy(**task, date_suffix=SUFFIX)
    folder = Path(task["training_data"].path, f"run_{SUFFIX}")
    (line,) = (folder / "rejected_for_training.jsonl").read_text("utf-8").splitlines()
    row = json.loads(line)
    assert (row["question"], row["leaf_node_path"]) == ("About 0?", GIVES)
    assert row["rejected_reason"]


def test_a_leaf_that_gave_nothing_is_an_error_that_says_why(
    task: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    postprocess_taxonomy(**task)
    said = Path(task["empty_leaves"]).read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        check_leaves(empty_leaves=said)
    assert caught.value.code == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: nothing came of 1 of 2 leaves:",
        f"error:   {MUTE}: 5 seed rows; 3 rejected at ask (parse), 2 filtered at ask",
        "error: Other seed examples, a larger scale factor or another teacher may help; "
        "allow_empty accepts it. The training data of all other leaves and the report are there, "
        "as outputs of postprocess.",
    ]
    check_leaves(empty_leaves=said, allow_empty=True)
    assert f"warning:   {MUTE}: 5 seed rows;" in capsys.readouterr().out


def test_leaves_that_all_gave_something_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    check_leaves(empty_leaves="")
    assert capsys.readouterr().out == "check: something came of every leaf\n"


def test_without_a_suffix_the_files_are_named_after_the_time(task: dict[str, Any]) -> None:
    postprocess_taxonomy(**task)
    (test_file,) = Path(task["training_data"].path).glob("test_*")
    assert re.fullmatch(r"test_\d{4}-\d\d-\d\dT\d\d_\d\d_\d\d\.jsonl", test_file.name)


def test_the_system_prompt_stands_in_every_training_and_test_row(task: dict[str, Any]) -> None:
    postprocess_taxonomy(**task, date_suffix=SUFFIX, system_prompt="Answer in verse.")
    folder = Path(task["training_data"].path)
    for name in ("train", "test", "skills_train_msgs"):
        lines = (folder / f"{name}_{SUFFIX}.jsonl").read_text(encoding="utf-8").splitlines()
        assert lines
        assert all("Answer in verse." in line for line in lines)


@pytest.mark.parametrize(("size", "rows"), [("4", 4), ("0.5", 3), ("1.0", 6)])
def test_so_much_of_a_skill_goes_into_the_mix_as_the_run_says(
    task: dict[str, Any], size: str, rows: int
) -> None:
    postprocess_taxonomy(**task, date_suffix=SUFFIX, skills_sampling_size=size)
    assert task["skills_train"].stored.table.num_rows == rows


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"auxiliary_instructions": "[]"}, "auxiliary_instructions: is not what it should be: []"),
        ({"date_suffix": "../out"}, "date_suffix"),
        ({"skills_sampling_size": "many"}, "skills_sampling_size: 'many' is neither"),
        ({"skills_sampling_size": "-1"}, "skills_sampling_size: '-1' is neither"),
    ],
)
def test_what_cannot_be_is_an_error(
    task: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    inputs: dict[str, str],
    message: str,
) -> None:
    assert message in error_of(capsys, task, **inputs)
    assert not Path(task["training_data"].path).exists()
