"""Every shipped pipeline runs: InstructLab's on seed rows, the examples on their own rows."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_sdg.blocks import BlockRegistry, PipelineContext
from kfp_sdg.engine import run
from kfp_sdg.pipelines import SHIPPED_FOLDER, shipped, shipped_names
from kfp_sdg.spec import load_pipeline
from kfp_sdg.storage import read_rows, rows_from_objects
from kfp_sdg.teacher import TeacherOptions, connect
from stub_teacher import StubTeacher

EXAMPLES = SHIPPED_FOLDER / "examples"
SHARED = Path(__file__).parents[3] / "shared"

FREEFORM = {
    "task_description": "Explaining how everyday things work",
    "seed_question": "Why does a kettle sing before it boils?",
    "seed_response": "Small bubbles form at the hot bottom and collapse in the cooler water above.",
}
GROUNDED = {**FREEFORM, "seed_context": "The library is closed on Monday. It opens on Tuesday."}
KNOWLEDGE = {
    "document": "A meteor is a grain of rock that burns up in the air.",
    "document_outline": "Meteors",
    "domain": "astronomy",
    "icl_document": "A comet is a ball of ice and dust.",
    **{f"icl_query_{k}": f"What is part {k} of a comet?" for k in (1, 2, 3)},
    **{f"icl_response_{k}": f"Part {k} is ice." for k in (1, 2, 3)},
}
SEEDS = {"freeform_skills": FREEFORM, "grounded_skills": GROUNDED}
ADDED = {
    "instructlab/simple": {"output"},
    "instructlab/eval": {"mmlubench_question", "mmlubench_answer"},
    "instructlab/full": {"question", "response"},
    "instructlab/llama": {"question", "response"},
}


def seed_rows(name, count=24):
    seed = SEEDS.get(name.rsplit("/", 1)[-1], KNOWLEDGE)
    key = "document" if seed is KNOWLEDGE else "seed_question"
    return rows_from_objects([{**seed, key: f"{seed[key]} Case {i}."} for i in range(count)])


def go(name, rows, url, *, endpoints=None, custom_types=(), **settings):
    spec = load_pipeline(shipped(name), custom_types=custom_types)
    with connect(TeacherOptions(url=url, endpoints=endpoints or {})) as pool:
        return run(spec, rows, PipelineContext(teachers=pool, **settings))


def assert_books_add_up(result):
    for entry in result.history:
        left = entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        assert entry.rows_in + entry.added == left, entry


def example_rows(name):
    return read_rows(EXAMPLES / f"{name}.jsonl")


@pytest.mark.parametrize("name", [n for n in shipped_names() if n.startswith("instructlab/")])
def test_a_shipped_pipeline_turns_seed_rows_into_rows(name, stub_teacher):
    result = go(
        name, seed_rows(name), stub_teacher.url, num_instructions_to_generate=15, constrain=True
    )

    assert result.rows.num_rows
    assert ADDED[name.rsplit("/", 1)[0]] <= set(result.rows.column_names)
    assert not result.rejected
    assert_books_add_up(result)


def test_judged_rows_are_dropped_by_every_filter_of_the_full_knowledge_pipeline(stub_teacher):
    name = "instructlab/full/knowledge"

    result = go(name, seed_rows(name), stub_teacher.url)

    filters = [entry for entry in result.history if entry.type == "FilterByValueBlock"]
    assert len(filters) == 3
    assert all(entry.filtered and entry.rows_out for entry in filters)
    judged = {"judgment", "explanation", "feedback", "score", "rating"}
    assert not judged & set(result.rows.column_names)


def test_rows_of_the_grounded_pipeline_carry_their_text_before_their_question(stub_teacher):
    name = "instructlab/full/grounded_skills"

    result = go(name, seed_rows(name, 4), stub_teacher.url, num_instructions_to_generate=30)
    rows = result.rows.to_pylist()

    assert rows
    for row in rows:
        assert row["question"].startswith(f"{row['context']}\n\n")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_the_seed_sample_ships_byte_for_byte_as_the_seed_prints_it():
    seed = (SHARED / "reference" / "seed.md").read_bytes()

    (printed,) = re.findall(rb"```yaml\n(.*?)```", seed, re.DOTALL)

    assert (EXAMPLES / "seed_sample.yaml").read_bytes() == printed


@pytest.mark.parametrize("name", ["seed_sample", "demo"])
def test_the_sample_makes_a_response_to_each_question_of_an_approved_seed(name, stub_teacher):
    seeds = example_rows("demo_rows")
    refused = [row["seed_question"] for row in seeds.to_pylist() if row["score"] != 1.0]

    result = go(f"examples/{name}", seeds, stub_teacher.url)

    rows = result.rows.to_pylist()
    assert refused
    assert len(rows) == seeds.num_rows - len(refused)
    assert {row["seed_question"] for row in rows}.isdisjoint(refused)
    assert all(row["question"] and row["response"] for row in rows)
    assert {"score", "evaluation", "num_samples"}.isdisjoint(result.rows.column_names)
    assert_books_add_up(result)


def test_demo_is_the_sample_with_fewer_samples_and_room_for_a_small_model():
    def facts(name):
        blocks = load_pipeline(shipped(f"examples/{name}")).blocks
        plain = [{k: v for k, v in b.config.items() if "kwargs" not in k} for b in blocks]
        return [
            (b.name, b.type, config, b.drop_columns, b.drop_duplicates)
            for b, config in zip(blocks, plain, strict=True)
        ]

    assert facts("demo") == facts("seed_sample")


def test_the_annotation_example_labels_each_text_once_with_a_topic_of_its_list(stub_teacher):
    rows = example_rows("annotation_rows")

    result = go("examples/annotation", rows, stub_teacher.url, constrain=True)

    labels = result.rows.to_pydict()["label"]
    assert set(labels) <= {"Weather", "Traffic", "Sports", "Culture"}
    assert len(labels) == len(set(rows.to_pydict()["text"])) < rows.num_rows
    # The example's own constraint is sent, to either kind of server, and none of ours instead.
    sent = stub_teacher.requests[0]
    assert set(sent["structured_outputs"]) == {"choice"}
    for choice in sent["structured_outputs"]["choice"]:
        assert f'"{choice}"' in sent["grammar"]


def test_the_example_of_several_teachers_asks_each_model_at_its_own_server(stub_teacher):
    writer, judge = "mistralai/Mixtral-8x7B-Instruct-v0.1", "ibm-granite/granite-3.1-8b-instruct"
    rows = example_rows("several_teachers_rows")
    with (
        StubTeacher(models=[writer]) as first,
        StubTeacher(models=[judge], values={"verdict": ["YES", "NO"]}) as second,
    ):
        endpoints = {writer: first.url, judge: second.url}
        result = go("examples/several_teachers", rows, stub_teacher.url, endpoints=endpoints)
        asked = [{body["model"] for body in stub.requests} for stub in (first, second)]
        paths = [{c.path for c in stub.calls if c.method == "POST"} for stub in (first, second)]

    assert asked == [{writer}, {judge}]
    assert paths == [{"/v1/completions"}, {"/v1/chat/completions"}]
    assert stub_teacher.requests == []
    assert 0 < result.rows.num_rows < rows.num_rows
    assert_books_add_up(result)


def test_the_iteration_example_gives_each_product_up_to_three_slogans():
    rows = example_rows("iteration_rows")
    with StubTeacher(count_repeats=True) as stub:
        result = go("examples/iteration", rows, stub.url)

    products = [row["product"] for row in result.rows.to_pylist()]
    assert all(products.count(product) == 3 for product in rows.to_pydict()["product"])
    assert_books_add_up(result)


def test_the_iteration_example_drops_slogans_that_it_has_already(stub_teacher):
    result = go("examples/iteration", example_rows("iteration_rows"), stub_teacher.url)

    slogans = result.rows.to_pydict()["slogan"]
    assert len(slogans) == len(set(slogans)) == 3


@pytest.fixture
def word_count_block():
    """The block of the custom block's example, registered for one test only."""
    path = EXAMPLES / "custom_block" / "word_count.py"
    spec = importlib.util.spec_from_file_location("word_count", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield "WordCountBlock"
    del BlockRegistry.get_registry()["WordCountBlock"]


def test_the_custom_blocks_example_keeps_long_answers(word_count_block):
    spec = load_pipeline(shipped("examples/custom_block/pipeline"), custom_types=[word_count_block])

    result = run(spec, example_rows("custom_block/rows"), PipelineContext())

    assert result.rows.to_pydict()["words"] == [12, 14]
    assert_books_add_up(result)


def test_the_custom_blocks_example_runs_from_the_command_line_with_its_plugin(tmp_path):
    options = ["--plugin", "word_count", "--input", "rows.jsonl", "--output", str(tmp_path / "out")]
    command = [sys.executable, "-m", "kfp_sdg.cli", "run", "pipeline.yaml", *options]

    done = subprocess.run(
        command, cwd=EXAMPLES / "custom_block", capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert read_rows(tmp_path / "out" / "dataset").to_pydict()["words"] == [12, 14]


@pytest.mark.embedded
def test_the_annotation_example_runs_on_the_embedded_teacher(embedded_url):
    rows = example_rows("annotation_rows")

    result = go("examples/annotation", rows, embedded_url, model_id=None, model_family="chat")

    assert set(result.rows.to_pydict()["label"]) <= {"Weather", "Traffic", "Sports", "Culture"}
    assert not result.rejected


@pytest.mark.embedded
def test_the_iteration_example_runs_on_the_embedded_teacher(embedded_url):
    rows = example_rows("iteration_rows")

    result = go("examples/iteration", rows, embedded_url, model_family="chat", constrain=True)

    assert result.rows.num_rows >= rows.num_rows
    assert_books_add_up(result)
