"""A pipeline inside a workflow that is skipped where no rows come."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from compiling import column_filter, llm, pipeline
from kfp_sdg.compiler.branch import Branch
from kfp_sdg.compiler.function import PipelineFunction
from kfp_sdg.compiler.library import LOAD, ComponentLibrary
from kfp_sdg.compiler.local_process import LocalRunner
from kfp_sdg.compiler.parameters import RunParameter, pipeline_parameters
from kfp_sdg.storage import read_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.spec import PipelineSpec

COUNTS = ("first_count", "second_count")


def two_branches(first: PipelineSpec, second: PipelineSpec) -> str:
    """Compile a workflow of two branches that start from the same rows."""
    from kfp import dsl
    from kfp.compiler import Compiler

    library = ComponentLibrary()
    branches = [Branch("first", first, library), Branch("second", second, library)]
    counts = [RunParameter(name, int, "Rows.") for name in COUNTS]
    of_blocks = [p for branch in branches for p in branch.parameters]

    def body(run: Mapping[str, Any]) -> dict[str, Any]:
        loaded = library.component_for_task(LOAD, "load")(
            input_uri=run["input_uri"], seed_samples=run["seed_samples"]
        )
        return {
            branch.name: branch.add(loaded.outputs["output_rows"], run[count], run)
            for branch, count in zip(branches, COUNTS, strict=True)
        }

    function = PipelineFunction(
        body,
        pipeline_parameters([*counts, *of_blocks]),
        outputs={branch.name: dsl.Dataset for branch in branches},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "workflow.yaml")
        Compiler().compile(dsl.pipeline(function, name="two"), str(path))
        return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compiled() -> list[Any]:
    """The package and the platform's part of a workflow whose branches have equal block names."""
    text = two_branches(pipeline(llm(), column_filter()), pipeline(llm(), column_filter("no rows")))
    return list(yaml.safe_load_all(text))


def test_each_block_is_a_task_of_its_own_in_the_pipeline_of_its_branch(compiled: Any) -> None:
    components = compiled[0]["components"]
    assert set(compiled[0]["root"]["dag"]["tasks"]) == {"load", "first", "second"}
    for branch, blocks in {"first": {"gen-q", "keep"}, "second": {"gen-q", "no-rows"}}.items():
        (ways,) = components[f"comp-{branch}"]["dag"]["tasks"].values()
        with_rows, without = components[ways["componentRef"]["name"]]["dag"]["tasks"].values()
        assert with_rows["taskInfo"]["name"] == "with rows"
        assert set(components[with_rows["componentRef"]["name"]]["dag"]["tasks"]) == blocks
        assert without["taskInfo"]["name"] == "without rows"
        assert len(components[without["componentRef"]["name"]]["dag"]["tasks"]) == 1


def test_the_secrets_name_comes_through_every_pipeline_around_a_task(compiled: Any) -> None:
    package, platform = compiled
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    with_secrets = {n: found for n, found in executors.items() if "secretAsVolume" in found}
    assert set(with_secrets) == {"exec-gen-q", "exec-gen-q-2"}
    for executor in with_secrets.values():
        name = executor["secretAsVolume"][0]["secretNameParameter"]["componentInputParameter"]
        around = [
            component["inputDefinitions"]["parameters"]
            for component in package["components"].values()
            if any("gen-q" in task for task in component.get("dag", {}).get("tasks", ()))
        ]
        assert len(around) == 2
        assert all(name in parameters for parameters in around)


def test_blocks_of_one_name_keep_their_answers_in_their_branchs_folder(compiled: Any) -> None:
    given = [
        task["inputs"]["parameters"]["checkpoint_folder"]["runtimeValue"]["constant"]
        for component in compiled[0]["components"].values()
        for name, task in component.get("dag", {}).get("tasks", {}).items()
        if name == "gen-q"
    ]
    assert sorted(given) == ["first", "second"]


def run_two(tmp_path: Path, counts: dict[str, int]) -> tuple[dict[str, Any], str]:
    """Run two branches through KFP's local runner; return each task's rows, and the log."""
    rows = '[{"score": "1"}, {"score": "0"}]'
    text = two_branches(pipeline(column_filter("keep")), pipeline(column_filter("also keep")))
    arguments = {"seed_samples": rows, **counts}
    with LocalRunner(text, arguments, tmp_path) as runner:
        log = "".join(runner.output())
        assert runner.succeeded(), log
    made = {
        folder.parent.name: read_dataset(folder).table.to_pylist()
        for folder in runner.pipeline_root.glob("*/*/output_rows")
    }
    return made, log


def test_only_the_branch_that_rows_came_for_runs_and_the_other_gives_none(tmp_path: Path) -> None:
    made, log = run_two(tmp_path, {"first_count": 2, "second_count": 0})
    del made["load"]
    assert made == {"keep": [{"score": 1.0}], "no-rows-2": []}
    assert "none came for the pipeline 'second'" in log
