"""kfp-sdg validate: problems for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.problems import show_problems
from kfp_sdg.errors import Position, Problem

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
version: "1.0"
blocks:
  - name: rename
    type: RenameColumnsBlock
    config:
      columns_map: {a: b}
"""
BAD = """\
version: "1.0"
blocks:
  - name: keep
    type: FilterByValueBlock
    config:
      filter_column: score
      filter_value: 1
      operaton: eq
  - name: rename
    type: RenameColumnBlock
    config: {}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good and a bad pipeline, which is the current one."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_a_valid_pipeline_is_told_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "good.yaml"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "good.yaml: valid, 1 block\n"
    assert printed.err == ""


@pytest.mark.usefixtures("files")
def test_problems_show_their_place_the_line_and_the_nearest_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["validate", "bad.yaml"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "bad.yaml:8:7: error: block 'keep'" in printed.err
    assert "    8 |       operaton: eq\n      |       ^^^^^^^^\n" in printed.err
    assert "did you mean 'operation'?" in printed.err
    assert "did you mean 'RenameColumnsBlock'?" in printed.err
    assert " problems in bad.yaml" in printed.err


@pytest.mark.usefixtures("files")
def test_several_pipelines_are_all_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "bad.yaml", "gone.yaml", "good.yaml"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "good.yaml: valid, 1 block\n"
    assert "gone.yaml: error: there is no such file" in printed.err
    assert "did you mean 'good.yaml'?" in printed.err


@pytest.mark.usefixtures("files")
def test_programs_get_one_object_with_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "bad.yaml", "good.yaml", "--format", "json"]) == 2
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert sorted(report) == ["problems", "valid", "warnings"]
    assert report["valid"] is False
    (unknown,) = [p for p in report["problems"] if p["line"] == 8]
    assert (unknown["file"], unknown["column"], unknown["block"]) == ("bad.yaml", 7, "keep")
    assert unknown["severity"] == "error"
    assert printed.err == ""


@pytest.mark.usefixtures("files")
def test_a_valid_pipeline_s_object_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "good.yaml", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"valid": True, "problems": [], "warnings": []}


def test_a_warning_is_told_and_is_no_error(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "newer.yaml").write_text(GOOD.replace("1.0", "1.7"))
    assert main(["validate", "newer.yaml"]) == 0
    assert "newer.yaml:1:1: warning: " in capsys.readouterr().err
    assert main(["validate", "newer.yaml", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is True
    assert len(report["warnings"]) == 1


def test_shipped_pipelines_are_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "examples/demo"]) == 0
    assert main(["validate", "examples/dmo"]) == 2
    assert "did you mean 'examples/demo'?" in capsys.readouterr().err


def test_a_file_of_one_s_own_comes_before_a_shipped_one(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "examples").mkdir()
    (files / "examples" / "demo").write_text(GOOD)
    assert main(["validate", "examples/demo"]) == 0
    assert capsys.readouterr().out == "examples/demo: valid, 1 block\n"


def test_a_folder_is_no_pipeline(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "folder").mkdir()
    assert main(["validate", "folder"]) == 2
    assert "folder: error: this is a folder" in capsys.readouterr().err


def test_a_plugin_in_the_current_folder_brings_its_block(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "my_plugin_x.py").write_text(
        "from kfp_sdg.blocks import Block, register\n"
        "@register('PluginXBlock')\n"
        "class PluginXBlock(Block):\n    '''Nothing.'''\n"
    )
    (files / "own.yaml").write_text(
        'version: "1.0"\nblocks:\n  - name: x\n    type: PluginXBlock\n    config: {}\n'
    )
    assert main(["validate", "own.yaml"]) == 2
    assert "--plugin" in capsys.readouterr().err
    assert main(["validate", "own.yaml", "--plugin", "my_plugin_x"]) == 0
    assert main(["validate", "own.yaml", "--plugin", "no_such_plugin"]) == 2
    assert "cannot import plugin module 'no_such_plugin'" in capsys.readouterr().err


def test_a_caret_stands_below_its_word_whatever_stands_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("\t日本: wrong\n" + "x" * 300 + " here\n\x1b[31mred\n")
    places = [(1, 6), (2, 302), (3, 6), (9, 1), (0, 0)]
    show_problems([Problem("no", Position(str(path), line, column)) for line, column in places])
    printed = capsys.readouterr().err
    assert "    1 |  日本: wrong\n      |        ^^^^^\n" in printed
    assert "x here\n" in printed
    assert "^^^^\n" in printed
    assert "\x1b" not in printed


def test_markup_in_a_message_is_only_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_problems([Problem("[bold]no[/]", Position("x.yaml"), suggestion="[/red]")])
    printed = capsys.readouterr().err
    assert "[bold]no[/]" in printed
    assert "[/red]" in printed
