from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from kfp_sdg.runtime.datasets import empty_rows, load_rows, merge_rows
from kfp_sdg.runtime.task import run_block_task, run_custom_task
from kfp_sdg.storage import write_dataset
from runtime_artifacts import Artifact
from stub_teacher import StubTeacher

ROWS = [{"document": "d1", "score": "2"}, {"document": "d2", "score": "1"}]
PROMPT = {
    "system": "",
    "introduction": "Ask.",
    "principles": "",
    "examples": "",
    "generation": "{{document}}",
    "start_tags": ["[Q]"],
    "end_tags": ["[/Q]"],
}


@pytest.fixture
def task(tmp_path):
    """The inputs and outputs that every block's task has."""
    write_dataset(tmp_path / "rows", pa.Table.from_pylist(ROWS))
    names = ("rows", "output_rows", "rejected_rows", "metrics", "preview")
    return {name: Artifact(str(tmp_path / name)) for name in names}


@pytest.fixture
def load(tmp_path):
    """The inputs and outputs of the load task."""
    artifacts = {n: Artifact(str(tmp_path / n)) for n in ("output_rows", "metrics", "preview")}
    return {"input_uri": "", "seed_samples": "", **artifacts}


def keep_good(task, **changes):
    inputs = {
        "block_name": "keep_good",
        "filter_column": "score",
        "filter_value": "2",
        "operation": "ge",
        "convert_dtype": "float",
    }
    run_block_task("FilterByValueBlock", **task, **(inputs | changes))


def error_of(capsys, run, *arguments, **inputs):
    """Return the last words of a task that fails."""
    with pytest.raises(SystemExit) as caught:
        run(*arguments, **inputs)
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_a_task_writes_the_rows_and_the_books_of_every_block_so_far(task):
    keep_good(task)
    task["rows"] = task["output_rows"]
    task["output_rows"] = Artifact(task["rows"].path + "2")
    run_block_task(
        "DuplicateColumnsBlock", **task, block_name="copy", columns_map='{"document": "base"}'
    )
    stored = task["output_rows"].stored
    assert stored.table.to_pylist() == [{"document": "d1", "score": 2.0, "base": "d1"}]
    assert [(e.block, e.rows_in, e.rows_out) for e in stored.manifest.history] == [
        ("keep_good", 2, 1),
        ("copy", 1, 1),
    ]


def test_the_output_artifact_says_what_is_in_it(task):
    keep_good(task)
    metadata = task["output_rows"].metadata
    assert metadata["rows"] == 1
    assert json.loads(metadata["columns"]) == ["document", "score"]
    assert metadata["fingerprint"] == task["output_rows"].stored.manifest.fingerprint


def test_the_metrics_are_the_blocks_books(task):
    keep_good(task)
    metrics = task["metrics"].metadata
    assert metrics.pop("seconds") >= 0
    assert metrics == {
        "rows_in": 2,
        "rows_out": 1,
        "added": 0,
        "filtered": 1,
        "duplicates": 0,
        "rejected": 0,
        "parse_failures": 0,
        "requests": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "retries": 0,
        "journal_hits": 0,
        "wait_seconds": 0.0,
        "latency_p50": 0.0,
        "latency_p95": 0.0,
        "latency_p99": 0.0,
    }


def test_columns_and_duplicates_are_dropped(task):
    keep_good(task, filter_value="0", drop_columns='["document"]', drop_duplicates='["score"]')
    assert task["output_rows"].stored.table.to_pylist() == [{"score": 2.0}, {"score": 1.0}]


def test_a_task_prints_its_books(task, capsys):
    keep_good(task)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "keep_good: 2 rows in"
    assert lines[-1].startswith("keep_good: rows_in 2, rows_out 1, added 0, filtered 1")


def test_a_task_that_asks_keeps_the_rows_whose_answer_does_not_parse(task):
    def answer(ask):
        return "[Q]why?[/Q]" if "d1" in ask.prompt else "Sorry."

    with StubTeacher(answer=answer) as stub:
        run_block_task(
            "LLMBlock",
            **task,
            block_name="ask",
            config_path="q.yaml",
            output_cols='["question"]',
            files=json.dumps({"q.yaml": PROMPT}),
            teacher_url=stub.url,
            model_id="stub-model",
            model_family="blank",
        )
    assert task["output_rows"].stored.table.to_pylist() == [{**ROWS[0], "question": "why?"}]
    (bad,) = task["rejected_rows"].stored.table.to_pylist()
    assert (bad["document"], bad["rejected_reason"]) == ("d2", "parse")
    assert bad["rejected_answer"] == "Sorry."
    assert task["metrics"].metadata["requests"] == 2
    assert "| parse | 1 |" in Path(task["preview"].path).read_text()


def asking(task, stub, **inputs):
    """Run the task of an asking block."""
    run_block_task(
        "LLMBlock",
        **task,
        block_name="ask/it",
        config_path="q.yaml",
        output_cols='["question"]',
        files=json.dumps({"q.yaml": PROMPT}),
        teacher_url=stub.url,
        model_id="stub-model",
        model_family="blank",
        max_concurrency=1,
        **inputs,
    )


@pytest.mark.parametrize("place", ["{tmp}/kept", "memory://bucket/{tmp}"])
def test_a_task_that_is_tried_again_asks_only_for_what_is_missing(task, tmp_path, capsys, place):
    def answer(ask):
        if "d2" in ask.prompt:
            return "[Q]when?[/Q]"
        stub.api_key = "changed in the middle"
        return "[Q]why?[/Q]"

    inputs = {"checkpoint_uri": place.format(tmp=tmp_path)}
    with StubTeacher(answer=answer) as stub:
        error_of(capsys, asking, task, stub, **inputs)
        stub.api_key = None
        stub.reset()
        asking(task, stub, **inputs)
        assert [prompt.split()[-1] for prompt in stub.prompts] == ["d2"]
    assert task["output_rows"].stored.table["question"].to_pylist() == ["why?", "when?"]
    assert task["metrics"].metadata["journal_hits"] == 1
    kept_in = f"{inputs['checkpoint_uri']}/ask_it"
    assert capsys.readouterr().out.splitlines()[1] == (
        f"ask/it: goes on from {kept_in}, which has 1 answer"
    )


def test_a_task_that_fails_says_where_its_answers_are_before_its_last_words(task, tmp_path, capsys):
    with StubTeacher(api_key="another") as stub, pytest.raises(SystemExit):
        asking(task, stub, checkpoint_uri=str(tmp_path / "kept"))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == (
        f"ask/it: every answer is kept in {tmp_path}/kept/ask_it for the next attempt"
    )
    assert printed.err.startswith("error: teacher at")


def test_blocks_of_one_name_in_two_pipelines_keep_their_answers_apart(task, tmp_path):
    for folder in ("knowledge", "skills"):
        with StubTeacher(answer=lambda _, word=folder: f"[Q]{word}?[/Q]") as stub:
            asking(task, stub, checkpoint_uri=str(tmp_path / "kept"), checkpoint_folder=folder)
        assert task["output_rows"].stored.table["question"].to_pylist() == [f"{folder}?"] * 2
        assert (tmp_path / "kept" / folder / "ask_it").is_dir()


def test_a_checkpoint_that_cannot_be_there_is_an_error(task, tmp_path, capsys):
    (tmp_path / "file").touch()
    with StubTeacher() as stub:
        error = error_of(capsys, asking, task, stub, checkpoint_uri=str(tmp_path / "file"))
        assert stub.requests == []
    assert f"{tmp_path}/file/ask_it" in error


def test_a_task_rejects_as_many_rows_as_it_may_and_no_more(task, capsys):
    with StubTeacher(answer=lambda _: "Sorry.") as stub:
        asking(task, stub, max_rejected="2")
        assert task["rejected_rows"].stored.table.num_rows == 2
        error = error_of(capsys, asking, task, stub, max_rejected="1")
        assert "2 of 2 rows were rejected (parse 2" in error
        error = error_of(capsys, asking, task, stub, max_rejected="5,5")
        assert "'5,5' does not say how many rows a block may reject" in error


def test_a_task_waits_for_a_teacher_that_is_away_and_says_so(task, capsys):
    with StubTeacher() as stub:
        pass
    error = error_of(capsys, asking, task, stub, teacher_patience=1)
    assert stub.url in error


def test_a_block_of_a_plugin_runs_with_its_settings_in_one_input(task, tmp_path, monkeypatch):
    (tmp_path / "shouting.py").write_text(
        "from kfp_sdg.blocks import Block, register\n"
        "@register('ShoutBlock')\n"
        "class ShoutBlock(Block):\n"
        "    def __init__(self, ctx, pipe, block_name, column):\n"
        "        super().__init__(ctx, pipe, block_name)\n"
        "        self.column = column\n"
        "    def generate(self, samples):\n"
        "        return samples.map(lambda row: {self.column: row[self.column].upper()})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run_custom_task(
        **task,
        block_type="ShoutBlock",
        block_name="shout",
        config='{"column": "document"}',
        plugins='["shouting"]',
    )
    assert task["output_rows"].stored.table["document"].to_pylist() == ["D1", "D2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filter_column": "rating"}, "missing column 'rating'; the rows have document, score"),
        ({"filter_value": "two"}, "component input 'filter_value' is not JSON"),
        ({"drop_columns": '"document"'}, "'drop_columns' must be a JSON list of texts"),
        ({"drop_duplicates": "document"}, "'drop_duplicates' is not JSON"),
    ],
)
def test_a_task_that_fails_ends_with_the_blocks_own_error(task, capsys, changes, message):
    error = error_of(capsys, keep_good, task, **changes)
    assert error.startswith("error: block 'keep_good'")
    assert message in error
    assert not Path(task["output_rows"].path).exists()


@pytest.mark.parametrize("config", ["[]", "column: x"])
def test_a_custom_blocks_config_has_to_be_an_object(task, capsys, config):
    inputs = {"block_type": "ShoutBlock", "block_name": "shout", "config": config}
    assert "'config'" in error_of(capsys, run_custom_task, **task, **inputs)


def test_an_unknown_block_type_is_an_error(task, capsys):
    inputs = {"block_type": "ShautBlock", "block_name": "shout", "config": "{}"}
    assert "unknown block type 'ShautBlock'" in error_of(capsys, run_custom_task, **task, **inputs)


def test_an_input_artifact_that_is_a_plain_file_is_read_too(task, tmp_path):
    file = tmp_path / "seeds.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    task["rows"] = Artifact(str(file))
    keep_good(task)
    assert task["output_rows"].stored.table.num_rows == 1


def test_an_input_artifact_that_is_not_there_is_an_error(task, tmp_path, capsys):
    task["rows"] = Artifact(str(tmp_path / "nothing"))
    assert "the input artifact is not there" in error_of(capsys, keep_good, task)


def test_rows_come_from_the_run_form(load):
    load_rows(**load | {"seed_samples": json.dumps(ROWS)})
    assert load["output_rows"].stored.table.to_pylist() == ROWS
    assert load["metrics"].metadata == {"rows": 2, "columns": 2}
    assert "| d1 | 2 |" in Path(load["preview"].path).read_text()


def test_rows_come_from_a_file(load, tmp_path):
    (tmp_path / "in.csv").write_text("document\nd1\n")
    load_rows(**load | {"input_uri": str(tmp_path / "in.csv")})
    assert load["output_rows"].stored.table.to_pylist() == [{"document": "d1"}]


def test_rows_come_from_object_storage(load):
    import fsspec

    with fsspec.open("memory://bucket/in.jsonl", "w") as file:
        file.write('{"document": "d1"}\n')
    load_rows(**load | {"input_uri": "memory://bucket/in.jsonl"})
    assert load["output_rows"].stored.table.to_pylist() == [{"document": "d1"}]


def test_a_dataset_that_is_loaded_again_keeps_its_history(load, task):
    keep_good(task)
    load_rows(**load | {"input_uri": task["output_rows"].path})
    assert [entry.block for entry in load["output_rows"].stored.manifest.history] == ["keep_good"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "no rows to start from"),
        ({"input_uri": "a.jsonl", "seed_samples": "[]"}, "two places to start from"),
        ({"seed_samples": "question: x"}, "seed_samples is not JSON"),
        ({"seed_samples": '{"a": 1}'}, "seed_samples holds no rows"),
        ({"seed_samples": "[]"}, "seed_samples holds no rows"),
        ({"seed_samples": "[1]"}, "seed_samples, row 0"),
        ({"input_uri": "/nowhere/a.jsonl"}, "/nowhere/a.jsonl"),
    ],
)
def test_rows_that_cannot_be_found_are_an_error(load, capsys, inputs, message):
    assert message in error_of(capsys, load_rows, **load | inputs)


def merged(tmp_path, *tables):
    datasets = []
    for number, table in enumerate(tables):
        write_dataset(tmp_path / str(number), table)
        datasets.append(Artifact(str(tmp_path / str(number))))
    names = ("output_rows", "metrics", "preview")
    outputs = {name: Artifact(str(tmp_path / name)) for name in names}
    merge_rows(datasets=datasets, **outputs)
    return outputs["output_rows"].stored


def test_merged_datasets_have_all_rows_in_order_and_all_columns(tmp_path):
    stored = merged(
        tmp_path,
        pa.table({"a": [1, 2]}),
        pa.table({"b": ["x"], "a": [3]}),
        pa.table({"a": pa.nulls(1)}),
    )
    assert stored.table.to_pylist() == [
        {"a": 1, "b": None},
        {"a": 2, "b": None},
        {"a": 3, "b": "x"},
        {"a": None, "b": None},
    ]


def test_datasets_whose_columns_do_not_go_together_are_an_error(tmp_path, capsys):
    tables = (pa.table({"a": [1]}), pa.table({"a": ["x"]}))
    assert "do not go together" in error_of(capsys, merged, tmp_path, *tables)


def test_the_history_of_merged_parts_names_each_block_once(task, tmp_path):
    keep_good(task)
    names = ("output_rows", "metrics", "preview")
    outputs = {name: Artifact(str(tmp_path / f"merged_{name}")) for name in names}
    merge_rows(datasets=[task["output_rows"], task["output_rows"]], **outputs)
    stored = outputs["output_rows"].stored
    assert stored.table.num_rows == 2
    assert [entry.block for entry in stored.manifest.history] == ["keep_good"]


def test_an_empty_dataset_can_be_merged_with_others_and_changes_nothing(tmp_path, capsys):
    nothing = Artifact(str(tmp_path / "nothing"))
    empty_rows(output_rows=nothing, reason="none came")
    assert (nothing.stored.table.num_rows, nothing.metadata["rows"]) == (0, 0)
    assert capsys.readouterr().out == "no rows: none came\n"
    stored = merged(tmp_path, nothing.stored.table, pa.table({"a": [1]}))
    assert stored.table.to_pylist() == [{"a": 1}]


def test_a_column_blocks_task_loads_no_heavy_package():
    code = (
        "import sys; import kfp_sdg.runtime.task; import kfp_sdg.blocks.filter_by_value;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"kfp", "datasets", "pandas", "openai", "jinja2", "pydantic", "jsonschema"}
    heavy |= {"yaml", "asyncio", "email", "ssl"}
    assert not heavy & set(run.stdout.split())
