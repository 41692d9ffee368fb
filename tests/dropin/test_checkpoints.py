"""Checkpoints: what a run leaves for the next one, and what is made of InstructLab's own."""

from __future__ import annotations

import json
import shutil
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from datasets import Dataset, concatenate_datasets

from dropin_helpers import answering, context_for, entry, pipeline_of
from instructlab.sdg import BlockRegistry, Pipeline, PipelineBlockError
from instructlab.sdg.blocks.block import Block
from instructlab.sdg.checkpointing import Checkpointer
from instructlab.sdg.utils.json import jlload
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAF = "knowledge_science_birds"
SEEDS = [{"question": f"Q{n}.", "hints": ["a", f"{n}"], "note": None} for n in range(6)]
ROWS = Dataset.from_list(SEEDS)


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    """A teacher that answers with the question."""

    def echo(ask: Any) -> str:
        return "<answer>" + ask.prompt.split("Question: ")[1].split(" [/INST]")[0] + "</answer>"

    with StubTeacher(answer=echo) as stub:
        yield stub


def made(row: dict[str, Any], answer: str = "old") -> dict[str, Any]:
    """Return what InstructLab has made of a row."""
    return {**row, "answer": answer}


def write_upstream(folder: Path, rows: list[dict[str, Any]], *, cut: int = 0) -> Path:
    """Write a checkpoint file as InstructLab does; of the last line some characters may lack."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = folder / f"data_checkpoint_{uuid.uuid4().hex}.jsonl"
    path.write_text(text[: len(text) - cut])
    return path


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def run(stub, tmp_path, *blocks, rows=ROWS, **settings) -> tuple[Dataset, Pipeline, list[str]]:
    """Run a pipeline with a checkpoint; return the rows, the pipeline and what was asked."""
    context = context_for(stub, checkpoint_dir=str(tmp_path / "ck"), **settings)
    pipeline = pipeline_of(tmp_path, context, *(blocks or [answering()]))
    before = len(stub.requests)
    return pipeline.generate(rows, LEAF), pipeline, stub.prompts[before:]


def test_a_run_writes_its_rows_where_instructlab_does(stub, tmp_path):
    rows, _, _ = run(stub, tmp_path)
    [path] = files_of(tmp_path / "ck" / LEAF)
    assert path.name.startswith("data_checkpoint_")
    assert len(path.name) == len("data_checkpoint_.jsonl") + 32
    assert jlload(path) == rows.to_list()
    assert not path.read_text().endswith("\n\n")


def test_the_same_run_again_asks_nothing_and_gives_the_same(stub, tmp_path):
    first, _, asked = run(stub, tmp_path)
    assert len(asked) == 6
    files = files_of(tmp_path / "ck" / LEAF)
    for settings in ({}, {"batch_size": 0}, {"batch_num_workers": 1}):
        again, _, asked = run(stub, tmp_path, **settings)
        assert asked == []
        assert again.to_list() == first.to_list()
        assert files_of(tmp_path / "ck" / LEAF) == files


def test_a_run_that_was_stopped_goes_on_without_asking_again(stub, tmp_path):
    fuse = {"is_lit": True}

    @BlockRegistry.register("FuseBlock")
    class FuseBlock(Block):
        def generate(self, samples):
            if fuse["is_lit"]:
                raise RuntimeError("stopped")
            return samples

    blocks = (answering(), entry("fuse", "FuseBlock", {}))
    with pytest.raises(PipelineBlockError, match="stopped"):
        run(stub, tmp_path, *blocks)
    assert len(stub.requests) == 6
    fuse["is_lit"] = False
    rows, _, asked = run(stub, tmp_path, *blocks)
    assert asked == []
    assert rows["answer"][:] == [seed["question"] for seed in SEEDS]


def test_rows_that_a_filter_dropped_are_not_asked_about_again(stub, tmp_path):
    keep = entry(
        "keep",
        "FilterByValueBlock",
        {"filter_column": "answer", "filter_value": "Q1.", "operation": "eq"},
    )
    assert len(run(stub, tmp_path, answering(), keep)[0]) == 1
    rows, _, asked = run(stub, tmp_path, answering(), keep)
    assert (len(rows), asked) == (1, [])


def test_another_model_or_prompt_is_asked_anew(stub, tmp_path):
    stub.models = ("stub-model", "other")
    run(stub, tmp_path)
    rows, _, asked = run(stub, tmp_path, model_id="other")
    assert len(asked) == 6
    assert len(rows) == 6
    assert len(files_of(tmp_path / "ck" / LEAF)) == 1


def test_changed_rows_are_asked_about_and_the_old_ones_left_out(stub, tmp_path):
    run(stub, tmp_path)
    changed = Dataset.from_list([*SEEDS[:4], {**SEEDS[4], "question": "New."}])
    rows, _, asked = run(stub, tmp_path, rows=changed)
    assert len(asked) == 1
    assert rows["answer"][:] == ["Q0.", "Q1.", "Q2.", "Q3.", "New."]


# -- files of InstructLab's own -------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"batch_size": 0}, {"batch_num_workers": 1}])
def test_rows_of_instructlabs_files_are_not_asked_about_again(stub, tmp_path, settings):
    write_upstream(tmp_path / "ck" / LEAF, [made(SEEDS[4]), made(SEEDS[1])])
    rows, _, asked = run(stub, tmp_path, **settings)
    assert len(asked) == 4
    assert [row["question"] for row in rows] == ["Q0.", "Q2.", "Q3.", "Q5.", "Q1.", "Q4."]
    assert rows["answer"][4:] == ["old", "old"]
    again, _, asked = run(stub, tmp_path, **settings)
    assert asked == []
    assert again.to_list() == rows.to_list()


def test_the_order_of_instructlabs_files_does_not_matter(stub, tmp_path):
    folder = tmp_path / "ck" / LEAF
    for seed in SEEDS[:5]:
        write_upstream(folder, [made(seed)])
    rows, _, _ = run(stub, tmp_path)
    assert [row["question"] for row in rows] == ["Q5.", "Q0.", "Q1.", "Q2.", "Q3.", "Q4."]


def test_when_instructlab_has_done_everything_nobody_is_asked(stub, tmp_path):
    write_upstream(tmp_path / "ck" / LEAF, [made(seed) for seed in SEEDS])
    rows, _, _ = run(stub, tmp_path)
    assert stub.calls == []
    assert rows.to_list() == [made(seed) for seed in SEEDS]


def test_a_file_that_was_cut_off_is_used_as_far_as_it_goes(stub, tmp_path, caplog):
    path = write_upstream(tmp_path / "ck" / LEAF, [made(SEEDS[0]), made(SEEDS[1])], cut=9)
    rows, _, asked = run(stub, tmp_path)
    assert len(asked) == 5
    assert len(rows) == 6
    assert f"{path}:2 is no row" in caplog.text


def test_rows_of_seeds_that_are_gone_are_left_out(stub, tmp_path):
    gone = {**SEEDS[0], "question": "Gone."}
    write_upstream(tmp_path / "ck" / LEAF, [made(gone), made(SEEDS[0])])
    rows, _, asked = run(stub, tmp_path)
    assert len(asked) == 5
    assert "Gone." not in rows["question"][:]


def test_a_file_of_another_pipeline_is_not_used(stub, tmp_path, caplog):
    rows = [{**seed, "output": "something else"} for seed in SEEDS]
    write_upstream(tmp_path / "ck" / LEAF, rows)
    assert len(run(stub, tmp_path)[2]) == 6
    assert "not those of this pipeline (answer, output)" in caplog.text


def test_rows_without_a_column_in_common_are_not_taken_for_done(stub, tmp_path):
    write_upstream(tmp_path / "ck" / LEAF, [{"answer": "old"}])
    assert len(run(stub, tmp_path)[2]) == 6


def test_a_column_that_was_renamed_on_the_way_is_found_again(stub, tmp_path):
    """As in the full knowledge pipeline, whose ``document`` is another text at the end."""
    renamed = {"question": "raw", "text": "question"}
    blocks = [
        entry("copy", "DuplicateColumnsBlock", {"columns_map": {"question": "base"}}),
        answering("mend", output_cols=["mended"]),
        entry(
            "flatten",
            "FlattenColumnsBlock",
            {"var_cols": ["mended", "base"], "value_name": "text", "var_name": "kind"},
        ),
        entry("names", "RenameColumnsBlock", {"columns_map": renamed}),
        answering(),
    ]
    fresh, _, _ = run(stub, tmp_path, *blocks, rows=ROWS.select([0]))
    assert {row["kind"] for row in fresh} == {"mended", "base"}
    shutil.rmtree(tmp_path / "ck")
    old = [{**row, "question": "something mended", "answer": "old"} for row in fresh.to_list()]
    write_upstream(tmp_path / "ck" / LEAF, old)
    rows, _, asked = run(stub, tmp_path, *blocks, rows=ROWS.select([0]))
    assert asked == []
    assert rows.to_list() == old


def test_runs_of_two_processes_at_once_warn_and_work(stub, tmp_path, caplog):
    from kfp_sdg.teacher.journal import open_journal

    with open_journal(tmp_path / "ck" / ".kfp-sdg" / LEAF):
        rows, _, _ = run(stub, tmp_path)
    assert len(rows) == 6
    assert "answers are not kept" in caplog.text


def test_without_a_name_or_a_folder_nothing_is_written(stub, tmp_path):
    context = context_for(stub, checkpoint_dir=str(tmp_path / "ck"))
    pipeline_of(tmp_path, context, answering()).generate(ROWS)
    pipeline_of(tmp_path, context_for(stub), answering()).generate(ROWS, LEAF)
    assert not (tmp_path / "ck").exists()


# -- the class ------------------------------------------------------------------------------------


def test_the_checkpointer_saves_every_so_many_datasets_and_loads_what_is_missing(tmp_path):
    parts = [Dataset.from_list([made(seed)]) for seed in SEEDS[:3]]
    checkpointer = Checkpointer(str(tmp_path / LEAF), save_freq=2)
    for part in (parts[0], Dataset.from_list([]), parts[1], parts[2]):
        checkpointer.checkpoint(part)
    assert len(files_of(tmp_path / LEAF)) == 1
    checkpointer.done()
    assert len(files_of(tmp_path / LEAF)) == 2
    missing, kept = Checkpointer(str(tmp_path / LEAF)).load(ROWS)
    assert missing["question"][:] == ["Q3.", "Q4.", "Q5."]
    assert sorted(kept["question"][:]) == ["Q0.", "Q1.", "Q2."]
    assert sorted(concatenate_datasets(parts)["answer"]) == sorted(kept["answer"])


def test_a_checkpointer_without_files_gives_everything_back(tmp_path):
    for checkpointer in (Checkpointer(), Checkpointer(str(tmp_path / "none"))):
        missing, kept = checkpointer.load(ROWS)
        assert missing.to_list() == SEEDS
        assert kept is None
        checkpointer.checkpoint(ROWS)
