"""The folder a run leaves behind."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from kfp_sdg.engine import RunResult, check_output, folder_names, read_run, write_run
from kfp_sdg.errors import StorageError
from kfp_sdg.storage import HistoryEntry, read_dataset


def entry(block: str, rows_in: int, rows_out: int, rejected: int = 0) -> HistoryEntry:
    return HistoryEntry(
        block=block,
        type="LLMBlock",
        rows_in=rows_in,
        rows_out=rows_out,
        added=0,
        filtered=0,
        duplicates=0,
        rejected=rejected,
        rejected_by_reason={"parse": rejected} if rejected else {},
        requests=0,
        prompt_tokens=0,
        completion_tokens=0,
        seconds=0.5,
        model=None,
    )


RESULT = RunResult(
    pa.table({"a": ["x"]}),
    {"gen/1: a?": pa.table({"a": ["y"], "rejected_reason": ["parse"]})},
    (entry("first", 2, 2), entry("gen/1: a?", 2, 1, rejected=1)),
)


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_run(RESULT, tmp_path / "new" / "out")
    back = read_run(tmp_path / "new" / "out")
    assert back.rows.equals(RESULT.rows)
    assert back.history == RESULT.history
    assert {name: t.to_pylist() for name, t in back.rejected.items()} == {
        name: t.to_pylist() for name, t in RESULT.rejected.items()
    }


def test_rejected_rows_have_a_folder_per_block_with_the_history_up_to_it(tmp_path: Path) -> None:
    write_run(RESULT, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "rejected"]
    (folder,) = (tmp_path / "rejected").iterdir()
    assert folder.name == "gen_1_ a_"
    assert read_dataset(folder).manifest.history[-1].block == "gen/1: a?"


def test_what_a_block_rejected_that_did_not_finish_is_kept_with_its_books(tmp_path: Path) -> None:
    stopped = RESULT.during(
        [entry("again", 1, 0, rejected=1), entry("last", 0, 0)],
        {"again": pa.table({"a": ["z"]}), "last": pa.table({"a": []})},
    )
    write_run(stopped, tmp_path)
    back = read_run(tmp_path)
    assert back.history == RESULT.history
    assert back.rows.equals(RESULT.rows)
    assert list(back.rejected) == ["gen/1: a?", "again"]
    assert [(e.block, e.rejected) for e in back.unfinished] == [("again", 1)]


def test_a_folder_without_rejected_rows_has_none_of_an_earlier_run(tmp_path: Path) -> None:
    write_run(RESULT, tmp_path)
    write_run(RESULT, tmp_path / "partial")
    write_run(RunResult(RESULT.rows, {}, RESULT.history[:1]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


@pytest.mark.parametrize(
    "foreign", ["notes.txt", "dataset/photo.jpg", "rejected/x/photo.jpg", "partial/notes.txt"]
)
def test_a_folder_with_other_things_is_refused_and_stays_as_it_is(
    tmp_path: Path, foreign: str
) -> None:
    (tmp_path / foreign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(StorageError, match="already holds other things"):
        write_run(RESULT, tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()] == [foreign]


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StorageError, match="is a file"):
        check_output(tmp_path / "out")


def test_what_a_killed_run_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".writing-abc").mkdir()
    (tmp_path / ".writing-abc" / "half").write_text("")
    write_run(RESULT, tmp_path)
    assert read_run(tmp_path).rows.num_rows == 1


def test_no_block_name_leads_out_of_the_folder_or_into_another_one() -> None:
    names = ["../..", "..", "a/b", "a_b", "A/B", "", " . ", "über 1", "x" * 300, "ü" * 300]
    folders = folder_names(names)
    assert list(folders) == names
    assert len({folder.casefold() for folder in folders.values()}) == len(names)
    for folder in folders.values():
        assert Path(folder).name == folder
        assert folder not in (".", "..", "")
        assert not folder.startswith(".")
        assert len(folder.encode()) < 200
    assert folders["über 1"] == "über 1"


def test_a_run_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        read_run(tmp_path / "nowhere")


def test_a_checkpoint_in_the_output_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "answers").write_text("paid for")
    write_run(RunResult(pa.table({"a": [1]})), tmp_path)
    assert (tmp_path / "checkpoint" / "answers").read_text() == "paid for"
    assert (tmp_path / "dataset").is_dir()
