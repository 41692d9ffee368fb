"""Components by hand through KFP's local runner, which runs each task in a process of its own."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from kfp_sdg.storage import read_dataset
from stub_teacher import StubTeacher

EXAMPLE = Path(__file__).parents[2] / "pipelines/examples/by_hand.py"
SEEDS = [{"document": "A mill grinds grain."}, {"document": "A harbour shelters ships."}]


@pytest.fixture(scope="module")
def by_hand():
    """The example pipeline's module."""
    spec = importlib.util.spec_from_file_location("by_hand", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def local_runner(tmp_path, monkeypatch):
    """KFP's local runner, with this Python's programs first and its outputs in tmp_path."""
    from kfp import local

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(tmp_path),
        raise_on_error=True,
    )
    return tmp_path


def answer(ask):
    place = "mill" if "mill" in ask.prompt else "harbour"
    score = "2" if ask.place == 0 else "not sure"
    end = "" if place == "harbour" and ask.place else "[End of Score]"
    question = f"What is the {place} for ({ask.place})?"
    return f"[Question]{question}[End of Question][Score]{score}{end}"


def test_the_example_written_by_hand_compiles_without_a_template_of_another_engine(
    by_hand, tmp_path
):
    from kfp.compiler import Compiler

    path = tmp_path / "by_hand.yaml"
    Compiler().compile(by_hand.questions_by_hand, str(path))
    pipeline = yaml.safe_load(path.read_text())
    assert set(pipeline["root"]["dag"]["tasks"]) == {"load", "llm", "filter-by-value"}
    assert path.read_text().count("{{") == path.read_text().count("{{$}}") == 3


def test_the_example_written_by_hand_generates_rows_through_kfp_local(by_hand, local_runner):
    with StubTeacher(answer=answer) as stub:
        task = by_hand.questions_by_hand(
            teacher_url=stub.url,
            model_id="stub-model",
            seed_samples=json.dumps(SEEDS),
        )
    stored = read_dataset(Path(task.output.path))
    assert stored.table.to_pylist() == [
        {**SEEDS[0], "question": "What is the mill for (0)?", "score": 2.0},
        {**SEEDS[1], "question": "What is the harbour for (0)?", "score": 2.0},
    ]
    asked, kept = stored.manifest.history
    assert (asked.block, asked.rows_in, asked.added, asked.rows_out) == ("ask", 2, 2, 3)
    assert asked.rejected_by_reason == {"parse": 1}
    assert (kept.block, kept.rows_in, kept.filtered, kept.rows_out) == ("keep_clear", 3, 1, 2)
    (rejected,) = local_runner.glob("*/llm/rejected_rows")
    (row,) = read_dataset(rejected).table.to_pylist()
    assert row["document"] == SEEDS[1]["document"]
    assert row["rejected_answer"].endswith("not sure")


def test_components_of_all_kinds_chain_through_kfp_local(local_runner):
    from kfp import dsl

    from kfp_sdg.components import json_input
    from kfp_sdg.components.blocks.combine_columns import combine_columns
    from kfp_sdg.components.blocks.iter import iterate
    from kfp_sdg.components.blocks.sample_populator import sample_populator
    from kfp_sdg.components.datasets.load import load
    from kfp_sdg.components.datasets.merge import merge

    @dsl.pipeline
    def chain() -> dsl.Dataset:
        seeds = load(seed_samples=json_input([{"topic": "mills"}]))
        filled = sample_populator(
            rows=seeds.outputs["output_rows"],
            config_paths='["samples/mills.yaml"]',
            column_name="topic",
            files=json_input({"samples/mills.yaml": {"fact": "{{wind}} turns sails"}}),
        )
        twice = iterate(
            rows=filled.outputs["output_rows"],
            num_iters=2,
            block_type="RenameColumnsBlock",
            config=json_input({"columns_map": {"fact": "answer"}}),
        )
        with dsl.ParallelFor(["[text]", "[other]"]) as column:
            joined = combine_columns(
                rows=twice.outputs["output_rows"],
                columns='["topic", "answer"]',
                output_col=column,
            )
        merged = merge(datasets=dsl.Collected(joined.outputs["output_rows"]))
        return merged.outputs["output_rows"]

    answer = "{{wind}} turns sails"
    row = {"topic": "mills", "answer": answer}
    text = f"mills\n\n{answer}"
    assert read_dataset(Path(chain().output.path)).table.to_pylist() == [
        *[row | {"[text]": text, "[other]": None}] * 2,
        *[row | {"[text]": None, "[other]": text}] * 2,
    ]


def test_a_failing_component_fails_the_pipeline_with_its_own_error(local_runner, capfd):
    from kfp import dsl

    from kfp_sdg.components.blocks.rename_columns import rename_columns
    from kfp_sdg.components.datasets.load import load

    @dsl.pipeline
    def failing() -> dsl.Dataset:
        seeds = load(seed_samples='[{"topic": "mills"}]')
        task = rename_columns(
            rows=seeds.outputs["output_rows"], block_name="rename", columns_map='{"fact": "answer"}'
        )
        return task.outputs["output_rows"]

    with pytest.raises(RuntimeError):
        failing()
    output = "".join(capfd.readouterr())
    assert "error: block 'rename' (RenameColumnsBlock): missing column 'fact'" in output
    assert "Traceback" not in output


def test_the_preflight_gives_the_tasks_after_it_the_url_that_it_checked(local_runner, tmp_path):
    from kfp import dsl

    from kfp_sdg.components import json_input
    from kfp_sdg.components.teacher.preflight import preflight

    needs = [{"block": "ask", "model_id": "stub-model", "model_family": "chat"}]

    @dsl.pipeline
    def checked(teacher_url: str) -> str:
        return preflight(
            teacher_url=teacher_url, models=json_input(needs), teacher_patience=5
        ).outputs["checked_url"]

    with StubTeacher() as stub:
        task = checked(teacher_url=stub.url.removesuffix("/v1"))
        assert task.output == stub.url
    (page,) = local_runner.glob("*/preflight/preview")
    assert "The teacher is ready." in page.read_text()
