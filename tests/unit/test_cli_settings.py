"""What only the blocks know of their settings is told by validate, with its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cli.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

FILTER = "{filter_column: s, filter_value: %s, operation: %s, convert_dtype: %s}"


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        ("FilterByValueBlock", FILTER % ("abc", "eq", "int"), "'abc' does not convert to int"),
        ("FilterByValueBlock", FILTER % ("1", "contains", "int"), "contains"),
        (
            "IterBlock",
            "{num_iters: -1, block_type: DuplicateColumnsBlock, columns_map: {a: b}}",
            "num_iters is -1",
        ),
        (
            "LLMBlock",
            "{config_path: configs/skills/freeform_questions.yaml, output_cols: [q], "
            "gen_kwargs: {temperature: warm}}",
            "gen_kwargs.temperature is 'warm'; expected a number",
        ),
        ("FlattenColumnsBlock", "{var_cols: [a, a], value_name: v, var_name: n}", "twice"),
    ],
)
def test_a_setting_that_the_block_refuses_is_a_problem_of_the_file(
    kind: str,
    config: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "p.yaml"
    text = f"version: '1.0'\nblocks:\n  - name: b\n    type: {kind}\n    config: {config}\n"
    file.write_text(text, encoding="utf-8")
    assert main(["validate", str(file), "--format", "json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert message in problem["message"]
    assert (problem["line"], problem["block"]) == (5, "b")


def test_all_blocks_that_refuse_their_settings_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = FILTER % ("abc", "eq", "int")
    blocks = "".join(
        f"  - {{name: b{n}, type: FilterByValueBlock, config: {config}}}\n" for n in range(2)
    )
    file = tmp_path / "p.yaml"
    file.write_text(f"version: '1.0'\nblocks:\n{blocks}", encoding="utf-8")
    assert main(["validate", str(file), "--format", "json"]) == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [(problem["line"], problem["block"]) for problem in problems] == [(3, "b0"), (4, "b1")]
