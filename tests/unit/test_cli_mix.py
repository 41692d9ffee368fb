"""kfp-sdg mix: what it prints and what it exits with."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.mix import mix_command
from kfp_sdg.instructlab.mixing import DEFAULT_SEED
from training_files import read_lines, training_row, write_lines

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """\
datasets:
  - path: sets/many.jsonl
    sampling_size: 0.25
  - path: few.jsonl
    sampling_size: 5
metadata:
  sys_prompt: From the recipe.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe and its datasets, which is the current one."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    write_lines(tmp_path / "sets" / "many.jsonl", [training_row(n) for n in range(4000)])
    write_lines(tmp_path / "few.jsonl", [training_row(n) for n in range(2)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_mix_is_written_and_its_table_adds_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mix", "recipe.yaml", "-o", "new/mix.jsonl"]) == 0
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines() if line.strip()]
    assert lines[0] == ["dataset", "rows", "sampling", "size", "sampled"]
    assert lines[2:6] == [
        ["sets/"],
        ["many.jsonl", "4,000", "0.25", "1,000"],
        ["./"],
        ["few.jsonl", "2", "5", "5"],
    ]
    assert ["total", "4,002", "1,005"] in lines
    assert printed.out.endswith("\nnew/mix.jsonl: 1,005 rows\n")
    assert printed.err == ""
    rows = read_lines(folder / "new" / "mix.jsonl")
    assert len(rows) == 1005
    assert rows[0]["messages"][0] == {"content": "From the recipe.", "role": "system"}


def test_the_datasets_of_a_folder_stand_below_its_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(folder / "sets" / "more.jsonl", [training_row(1)])
    (folder / "recipe.yaml").write_text(RECIPE.replace("few.jsonl", "sets/more.jsonl"))
    assert main(["mix", "recipe.yaml", "-o", "mix.jsonl"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert names[2:5] == ["sets/", "many.jsonl", "more.jsonl"]


def test_system_prompt_seed_and_input_root_are_obeyed(folder: Path) -> None:
    (folder / "recipe.yaml").rename(folder / "sets" / "recipe.yaml")
    command = ["mix", "sets/recipe.yaml", "--input-root", "."]
    assert main([*command, "-o", "a.jsonl", "--system-prompt", "Given."]) == 0
    assert main([*command, "-o", "b.jsonl", "--seed", "7"]) == 0
    first, second = read_lines(folder / "a.jsonl"), read_lines(folder / "b.jsonl")
    assert first[0]["messages"][0]["content"] == "Given."
    assert [row["id"] for row in first] != [row["id"] for row in second]


def test_rows_without_content_have_a_column_of_their_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = training_row(0)
    empty["messages"][0]["content"] = ""
    write_lines(folder / "few.jsonl", [empty, training_row(1), training_row(2)])
    assert main(["mix", "recipe.yaml", "-o", "mix.jsonl"]) == 0
    out = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["few.jsonl", "3", "1", "5", "5"] in out
    assert ["total", "4,003", "1", "1,005"] in out


def test_a_mistake_in_the_recipe_exits_2_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "recipe.yaml").write_text(RECIPE.replace("few.jsonl", "fw.jsonl"))
    assert main(["mix", "recipe.yaml", "-o", "mix.jsonl"]) == 2
    err = capsys.readouterr().err
    assert "recipe.yaml:4:5: error: there is no such dataset: " in err
    assert "    4 |   - path: fw.jsonl" in err
    assert "relative paths start from the recipe" in err


def test_a_damaged_row_exits_1_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "few.jsonl").write_text('{"messages": \n')
    assert main(["mix", "recipe.yaml", "-o", "mix.jsonl"]) == 1
    assert "few.jsonl:1:" in capsys.readouterr().err
    assert not (folder / "mix.jsonl").exists()


def test_the_help_names_the_seed_that_the_library_has() -> None:
    assert inspect.signature(mix_command).parameters["seed"].default == DEFAULT_SEED
