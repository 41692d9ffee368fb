"""kfp-sdg run: mistakes before anything is paid for, results, and what a stopped run leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from kfp_sdg.storage import read_dataset
from signals import reset_signals
from stub_teacher import StubTeacher

PIPELINE = """\
version: "1.0"
blocks:
  - name: copy
    type: DuplicateColumnsBlock
    config:
      columns_map: {text: copy}
  - name: keep
    type: FilterByValueBlock
    config:
      filter_column: kind
      filter_value: a
      operation: eq
"""
ASKING = """\
version: "1.0"
blocks:
  - name: copy
    type: DuplicateColumnsBlock
    config:
      columns_map: {text: copy}
  - name: ask
    type: LLMBlock
    config:
      config_path: ask.yaml
      output_cols: [reply]
      model_family: blank
      gen_kwargs: {max_tokens: 20}
"""
PROMPT = """\
system: ""
introduction: "About {{text}}"
principles: ""
examples: ""
generation: ""
start_tags: ["[R]"]
end_tags: ["[/R]"]
"""
ROWS = [{"text": f"t{n}", "kind": "ab"[n % 2]} for n in range(4)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pipelines and rows, which is the current one."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "ask_p.yaml").write_text(ASKING)
    (tmp_path / "ask.yaml").write_text(PROMPT)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def go(*more: str, pipeline: str = "p.yaml") -> int:
    return main(["run", pipeline, "--input", "rows.jsonl", "--output", "out", *more])


@pytest.mark.usefixtures("folder")
def test_a_run_leaves_its_rows_and_tells_where_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert go() == 0
    assert read_run("out").rows.to_pylist() == [
        {"text": "t0", "kind": "a", "copy": "t0"},
        {"text": "t2", "kind": "a", "copy": "t2"},
    ]
    printed = capsys.readouterr()
    assert "out/dataset  (2 rows)" in printed.out
    assert 'load_dataset("parquet", data_dir="out/dataset"' in printed.out
    assert "row 1 of 2" in printed.out
    assert "[2/2] keep  4 → 2 rows, 2 filtered" in printed.err


@pytest.mark.usefixtures("folder")
def test_a_second_run_replaces_the_results_of_the_first() -> None:
    assert go() == 0
    Path("rows.jsonl").write_text('{"text": "new", "kind": "a"}\n')
    assert go() == 0
    assert read_run("out").rows.column("text").to_pylist() == ["new"]


@pytest.mark.parametrize("runner", ["engine", "kfp"])
def test_a_dataset_carries_what_earlier_runs_did_to_it(folder: Path, runner: str) -> None:
    assert go() == 0
    second = PIPELINE.replace("copy}", "again}").replace("name: keep", "name: b only")
    (folder / "next.yaml").write_text(second.replace("filter_value: a", "filter_value: b"))
    arguments = ["next.yaml", "--input", "out/dataset", "--output", "next", "--runner", runner]
    assert main(["run", *arguments]) == 0
    history = read_dataset("next/dataset").manifest.history
    assert [entry.block for entry in history] == ["copy", "keep", "copy", "b only"]
    assert [entry.rows_in for entry in history] == [4, 4, 2, 2]


@pytest.mark.usefixtures("folder")
def test_the_line_that_is_printed_reads_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    go()
    line = next(
        line.removeprefix("read it").strip()
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("read it")
    )
    code = f"import datasets; print({line}[1]['text'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "t2"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--input", "gone.jsonl"], "gone.jsonl"),
        (["--output", "."], "already holds other things"),
        (["--output", "rows.jsonl"], "is a file"),
        (["--output", "rows.jsonl/out"], "cannot write to the output folder"),
        (["--teacher", "other"], "embedded:PATH.gguf"),
        (["--teacher", "embedded", "--teacher-url", "http://x"], "give one of them"),
        (["--teacher", "embedded:gone.gguf"], "gone.gguf"),
        (["--teacher-url", "localhost:8000"], "http://localhost:8000"),
        (["--teacher-url", "http://me:secret@host"], "KFP_SDG_API_KEY"),
        (["--teacher-endpoint", "m"], "ID=URL"),
        (["--max-concurrency", "0"], "--max-concurrency"),
        (["--max-rejected", "5,5"], "'5,5' does not say how many rows"),
        (["--max-rejected", "-1"], "'-1' does not say how many rows"),
        (["--max-rejected", "101%"], "'101%' does not say how many rows"),
        (["--teacher-patience", "-1"], "--teacher-patience"),
        (["--teacher-timeout", "0"], "--teacher-timeout"),
        (["--checkpoint", "x", "--no-checkpoint"], "give one of them"),
        (["--checkpoint", "out/rejected"], "lie in each other"),
        (["--log-format", "xml"], "--log-format"),
        (["--plugin", "no_such_module"], "no_such_module"),
        (["--runner", "spark"], "--runner"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake_exits_2_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], more: list[str], told: str
) -> None:
    assert go(*more) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert "secret" not in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert not Path("out/dataset").exists()


@pytest.mark.parametrize("runner", ["engine", "kfp"])
@pytest.mark.usefixtures("folder")
def test_a_missing_column_names_the_block_its_place_and_the_columns_there_are(
    capsys: pytest.CaptureFixture[str], runner: str
) -> None:
    Path("rows.jsonl").write_text('{"text": "x"}\n')
    assert go("--runner", runner) == 2
    printed = capsys.readouterr().err
    assert "block 'keep' (FilterByValueBlock): missing column 'kind'" in printed
    assert "text, copy" in printed
    assert "The block is at p.yaml:7:5." in printed
    assert "[1/2]" not in printed


@pytest.mark.parametrize("runner", ["engine", "kfp"])
@pytest.mark.usefixtures("folder")
def test_a_pipeline_that_asks_a_model_needs_a_teacher(
    capsys: pytest.CaptureFixture[str], runner: str
) -> None:
    assert go("--runner", runner, pipeline="ask_p.yaml") == 2
    printed = capsys.readouterr().err
    assert "--teacher-url" in printed
    assert "[1/2]" not in printed


@pytest.mark.usefixtures("folder")
def test_no_rows_at_the_end_is_told_loudly_and_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("rows.jsonl").write_text('{"text": "x", "kind": "b"}\n')
    assert go() == 0
    printed = capsys.readouterr()
    assert "Warning: block 'keep' left no rows" in printed.err
    assert "No rows came out." in printed.out
    assert read_run("out").rows.column_names == ["text", "kind", "copy"]


@pytest.mark.usefixtures("folder")
def test_rejected_rows_are_told_with_their_reasons_and_place(
    capsys: pytest.CaptureFixture[str], stub_teacher: StubTeacher
) -> None:
    stub_teacher._answer = lambda ask: "no tag" if "t1" in ask.prompt else "[R]fine[/R]"
    assert go("--teacher-url", stub_teacher.url, pipeline="ask_p.yaml") == 0
    printed = capsys.readouterr()
    assert "out/rejected  (1 row)" in printed.out
    assert "ask: 1 parse" in printed.out
    assert "1 rejected" in printed.err
    (row,) = read_dataset("out/rejected/ask").table.to_pylist()
    assert (row["text"], row["rejected_answer"]) == ("t1", "no tag")


@pytest.mark.usefixtures("folder")
def test_options_reach_the_teacher(stub_teacher: StubTeacher) -> None:
    stub_teacher.models = ("m1", "m2")
    more = ["--teacher-url", stub_teacher.url, "--model-id", "m2", "--constrain"]
    assert go(*more, pipeline="ask_p.yaml") == 0
    assert {request["model"] for request in stub_teacher.requests} == {"m2"}
    assert all("grammar" in json.dumps(request) for request in stub_teacher.requests)


@pytest.mark.usefixtures("folder")
def test_an_endpoint_alone_is_a_teacher(stub_teacher: StubTeacher) -> None:
    endpoint = f"stub-model={stub_teacher.url}"
    assert go("--teacher-endpoint", endpoint, pipeline="ask_p.yaml") == 0
    assert len(stub_teacher.requests) == len(ROWS)


@pytest.mark.usefixtures("folder")
def test_what_was_finished_before_a_failure_is_kept_and_told(
    capsys: pytest.CaptureFixture[str], stub_teacher: StubTeacher
) -> None:
    stub_teacher.fail_next(401, times=50)
    assert go("--teacher-url", stub_teacher.url, pipeline="ask_p.yaml") == 1
    printed = capsys.readouterr().err
    assert "Block 'ask' did not finish. 4 rows after block 'copy'" in printed
    assert "out/partial" in printed
    partial = read_run("out/partial")
    assert partial.rows.column_names == ["text", "kind", "copy"]
    assert [entry.block for entry in partial.history] == ["copy"]
    assert not Path("out/dataset").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_in_order_and_keeps_what_was_finished(
    folder: Path, number: signal.Signals
) -> None:
    with StubTeacher(latency=5) as stub:
        arguments = ["run", "ask_p.yaml", "--input", "rows.jsonl", "--output", "out"]
        process = subprocess.Popen(
            [sys.executable, "-m", "kfp_sdg.cli", *arguments, "--teacher-url", stub.url],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
            preexec_fn=reset_signals,
        )
        assert process.stderr is not None
        told = ""
        while "[2/2] ask" not in told:
            line = process.stderr.readline()
            assert line, f"the run ended early: {told}"
            told += line
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)
    ended = (143, "Stopped by SIGTERM.") if number == signal.SIGTERM else (130, "Interrupted.")
    assert process.returncode == ended[0]
    assert rest.rstrip().endswith(ended[1])
    assert "Traceback" not in rest
    assert read_run(folder / "out/partial").rows.num_rows == len(ROWS)
