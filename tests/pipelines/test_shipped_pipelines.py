"""Every pipeline that ships, through the engine and through KFP's local runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfp_sdg.blocks.catalog import custom_types, load_plugins
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.pipelines import SHIPPED_FOLDER, shipped, shipped_names
from kfp_sdg.spec import load_pipeline
from shipped_runs import MODEL, TWO_TEACHERS, engines_result, instructions_for, rows_for, same_rows
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.syspath_prepend(SHIPPED_FOLDER / "examples" / "custom_block")
    load_plugins(["word_count"])
    return ("word_count",)


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_pipeline_gives_the_same_rows_in_the_engine_and_on_kfp(
    name: str, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    spec = load_pipeline(shipped(name), custom_types=custom_types())
    rows = rows_for(name, tmp_path)
    with StubTeacher(models=(MODEL, *TWO_TEACHERS)) as stub:
        expected = engines_result(spec, rows, stub.url, instructions_for(name))
        options = LocalRunOptions(
            teacher_url=stub.url,
            teacher_endpoints=dict.fromkeys(TWO_TEACHERS, stub.url),
            model_id=MODEL,
            num_instructions_to_generate=instructions_for(name),
            plugins=plugins,
        )
        result = run_with_kfp(spec, rows, tmp_path / "out", options)

    same_rows(result, expected, tmp_path / "out")
