"""The output folder of a run: its date, and what of an earlier attempt goes or stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.instructlab.run_folder import UNFINISHED, RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def begun(output: Path, date_suffix: str | None) -> RunFolder:
    folder = RunFolder.choose(output, date_suffix)
    folder.begin()
    return folder


def test_a_new_run_has_the_date_of_its_begin(tmp_path: Path) -> None:
    folder = begun(tmp_path / "new" / "out", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d_\d\d_\d\d", folder.date_suffix)
    assert folder.path("train", ".jsonl") == (
        tmp_path / "new" / "out" / f"train_{folder.date_suffix}.jsonl"
    )


def test_two_runs_that_begin_in_one_second_lie_beside_each_other(tmp_path: Path) -> None:
    dates = set()
    for _ in range(5):
        folder = begun(tmp_path, None)
        folder.path("preprocessed").mkdir()
        folder.end()
        dates.add(folder.date_suffix)
    assert len(dates) == 5


def test_a_run_goes_on_under_the_date_of_one_that_did_not_end(tmp_path: Path) -> None:
    begun(tmp_path, "first")
    again = begun(tmp_path, None)
    assert again.date_suffix == "first"
    again.end()
    assert begun(tmp_path, None).date_suffix != "first"


def test_a_run_of_another_taxonomy_leaves_what_an_unfinished_one_wrote(tmp_path: Path) -> None:
    with RunFolder.hold(tmp_path, "first", "/a") as folder:
        folder.begin()
    assert RunFolder.choose(tmp_path, None, "/b").date_suffix != "first"
    again = RunFolder.choose(tmp_path, None, "/a")
    assert (again.date_suffix, again.goes_on) == ("first", True)
    assert not RunFolder.choose(tmp_path, "first", "/a").goes_on
    with RunFolder.hold(tmp_path, "second", "/b") as folder:
        folder.begin()
        assert folder.others_unfinished == ("/a",)
        folder.end()
    assert RunFolder.choose(tmp_path, None, "/a").goes_on
    again.end()
    assert list(tmp_path.iterdir()) == []


def test_two_runs_do_not_write_to_one_output_folder_at_once(tmp_path: Path) -> None:
    with RunFolder.hold(tmp_path, "first") as folder:
        folder.begin()
        with (
            pytest.raises(StorageError, match="another run writes to the output folder") as caught,
            RunFolder.hold(tmp_path, "second"),
        ):
            pytest.fail("the second run began")
        assert caught.value.exit_code == 2
    with RunFolder.hold(tmp_path, None) as folder:
        assert folder.date_suffix == "first"
    assert [path.name for path in tmp_path.iterdir()] == [UNFINISHED]


def test_a_date_that_is_given_goes_before_that_of_an_unfinished_run(tmp_path: Path) -> None:
    begun(tmp_path, "first")
    assert begun(tmp_path, "second").date_suffix == "second"
    assert begun(tmp_path, None).date_suffix == "second"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"date_suffix": 3, "taxonomy": ""}',
        '{"date_suffix": "../x", "taxonomy": ""}',
    ],
)
def test_a_damaged_note_of_an_unfinished_run_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / UNFINISHED).write_text(text)
    assert begun(tmp_path, None).date_suffix[:2] == "20"


@pytest.mark.parametrize("suffix", ["", "a/b", "../a", "a b", "x" * 101, "é"])
def test_a_suffix_that_is_no_part_of_a_name_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(SpecError, match="--date-suffix"):
        begun(tmp_path / "out", suffix)
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="cannot write to the output folder") as caught:
        begun(tmp_path / "out", None)
    assert caught.value.exit_code == 2


def test_of_an_earlier_attempt_only_what_it_left_is_removed(tmp_path: Path) -> None:
    folder = begun(tmp_path, "one")
    mine, other = folder.path("run"), tmp_path / "run_two"
    for place in (mine, other):
        (place / "mine").mkdir(parents=True)
        (place / "old" / "deep").mkdir(parents=True)
        (place / "leaf.jsonl").write_text("{}")
    (mine / "oldlink").symlink_to(other)

    folder.clear("run", "old*", "*.jsonl")

    assert [path.name for path in mine.iterdir()] == ["mine"]
    assert len(list(other.iterdir())) == 3
    folder.clear("nothing", "*")
