"""kfp-sdg run: answers are kept until a run has succeeded, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from signals import reset_signals
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stub_answers import Ask

PIPELINE = """\
version: "1.0"
blocks:
  - name: ask it
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
ROWS = [{"text": f"t{n}"} for n in range(6)]
REPLIES = [f"fine {row['text']}" for row in ROWS]


def reply(ask: Ask) -> str:
    return f"[R]fine {ask.prompt.split()[-1]}[/R]"


class Leaving(StubTeacher):
    """A teacher that refuses the key after some answers."""

    def __init__(self, after: int) -> None:
        super().__init__(answer=reply)
        self._left = after

    def _texts(self, prompt: str, body: dict[str, object], n: int) -> list[str | None]:
        self._left -= 1
        if not self._left:
            self.api_key = "another"
        return super()._texts(prompt, body, n)

    def come_back(self) -> None:
        self.api_key = None
        self.reset()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "ask.yaml").write_text(PROMPT)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def leaving() -> Iterator[Leaving]:
    """A teacher that refuses the key after three answers."""
    with Leaving(after=3) as stub:
        yield stub


def command(stub: StubTeacher, *more: str) -> list[str]:
    files = ["run", "p.yaml", "--input", "rows.jsonl", "--output", "out"]
    return [*files, "--teacher-url", stub.url, "--max-concurrency", "1", *more]


def replies() -> list[str]:
    replies: list[str] = read_run("out").rows["reply"].to_pylist()
    return replies


@pytest.mark.parametrize("runner", ["engine", "kfp"])
def test_a_run_that_failed_goes_on_where_it_was(
    leaving: Leaving, runner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(leaving, "--runner", runner)
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert "3 answers are kept in out/checkpoint; the same command goes on from there." in told
    assert "Resuming" not in told

    leaving.come_back()
    assert main(arguments) == 0
    told = capsys.readouterr().err
    assert "Resuming from out/checkpoint: 3 answers of an earlier run are there." in told
    assert "are kept" not in told
    assert len(leaving.requests) == 3
    assert replies() == REPLIES
    assert not Path("out/checkpoint").exists()


@pytest.mark.parametrize("runner", ["engine", "kfp"])
def test_a_checkpoint_that_was_asked_for_outlives_the_run(
    stub_teacher: StubTeacher, runner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_teacher._answer = reply
    arguments = command(stub_teacher, "--runner", runner, "--checkpoint", "kept/here")
    assert main(arguments) == 0
    assert Path("kept/here").is_dir()
    assert not Path("out/checkpoint").exists()
    stub_teacher.reset()
    assert main(arguments) == 0
    assert stub_teacher.requests == []
    assert "Resuming from kept/here: 6 answers" in capsys.readouterr().err
    assert replies() == REPLIES


def test_other_rows_find_the_answers_that_fit(leaving: Leaving) -> None:
    assert main(command(leaving)) == 1
    leaving.come_back()
    rows = [{"text": "new"}, *ROWS[1:4]]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(command(leaving)) == 0
    assert replies() == ["fine new", *REPLIES[1:4]]
    assert sorted(prompt.split()[-1] for prompt in leaving.prompts) == ["new", "t3"]


def test_without_a_checkpoint_nothing_is_kept_and_nothing_promised(
    leaving: Leaving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(leaving, "--no-checkpoint")) == 1
    told = capsys.readouterr().err
    # rows that were finished before may be kept in out/partial; no answers are
    assert "checkpoint" not in told
    assert "goes on from" not in told
    assert not Path("out/checkpoint").exists()


@pytest.mark.parametrize("runner", ["engine", "kfp"])
def test_a_run_that_got_no_answer_leaves_no_checkpoint(
    runner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with StubTeacher(api_key="another") as stub:
        assert main(command(stub, "--runner", runner)) == 1
    assert "kept" not in capsys.readouterr().err
    assert not Path("out/checkpoint").exists()


def test_of_a_url_where_nothing_is_kept_nothing_is_promised(
    leaving: Leaving, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(leaving, "--checkpoint", "nothing://a/b")) == 2
    told = capsys.readouterr().err
    assert "nothing" in told
    assert "kept" not in told


def test_a_pipeline_that_asks_nobody_has_no_checkpoint() -> None:
    copy = "{name: c, type: DuplicateColumnsBlock, config: {columns_map: {text: copy}}}"
    Path("p.yaml").write_text(f"version: '1.0'\nblocks:\n  - {copy}\n")
    more = ["--input", "rows.jsonl", "--output", "out", "--checkpoint", "kept"]
    assert main(["run", "p.yaml", *more]) == 0
    assert not Path("kept").exists()


@pytest.mark.parametrize("runner", ["engine", "kfp"])
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("out/dataset", "lie in each other"),
        (".", "lie in each other"),
        ("rows.jsonl", "rows.jsonl"),
        ("rows.jsonl/kept", "Not a directory"),
        ("nowhere://bucket/kept", "nowhere"),
    ],
)
def test_a_checkpoint_that_cannot_be_is_a_mistake_told_before_anything_is_asked(
    stub_teacher: StubTeacher,
    runner: str,
    place: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(command(stub_teacher, "--runner", runner, "--checkpoint", place)) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert stub_teacher.requests == []


@pytest.mark.parametrize(("first", "second"), [("engine", "kfp"), ("kfp", "engine")])
def test_answers_of_the_other_runner_are_not_paid_again_unnoticed(
    leaving: Leaving, first: str, second: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(leaving, "--runner", first)) == 1
    leaving.come_back()
    assert main(command(leaving, "--runner", second)) == 2
    assert f"answers of a run with --runner {first}" in capsys.readouterr().err
    assert leaving.requests == []


def test_a_checkpoint_in_use_is_refused(
    stub_teacher: StubTeacher, capsys: pytest.CaptureFixture[str]
) -> None:
    from kfp_sdg.teacher.journal import open_journal

    with open_journal("kept"):
        assert main(command(stub_teacher, "--checkpoint", "kept")) == 2
    told = capsys.readouterr().err
    assert told.count("another process writes this journal now") == 1
    assert "goes on from there" not in told


def test_a_checkpoint_in_use_at_a_url_is_not_called_this_runs_own(
    stub_teacher: StubTeacher, capsys: pytest.CaptureFixture[str]
) -> None:
    from kfp_sdg.teacher.journal import open_journal

    with open_journal("memory://in-use"):
        assert main(command(stub_teacher, "--checkpoint", "memory://in-use")) == 2
    told = capsys.readouterr().err
    assert told.count("another process writes this journal now") == 1
    assert "goes on from there" not in told


def test_damage_in_a_checkpoint_is_told_once_by_a_run_that_fails(
    leaving: Leaving, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(command(leaving, "--checkpoint", "kept")) == 1
    (segment,) = Path("kept").glob("segment-*")
    content = bytearray(segment.read_bytes())
    content[len(content) // 3] ^= 0x10
    segment.write_bytes(content)
    capsys.readouterr()
    assert main(command(leaving, "--checkpoint", "kept")) == 1
    told = capsys.readouterr().err
    assert told.count("damaged from byte") == 1
    assert caplog.messages == []  # what the run does not show itself
    assert "kept in kept; the same command goes on from there" in told


def start(stub: StubTeacher, *more: str) -> subprocess.Popen[str]:
    """Start a run in a process of its own, and wait until its first request is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kfp_sdg.cli", *command(stub, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        preexec_fn=reset_signals,
    )
    while not stub.requests:
        assert process.poll() is None, process.communicate()
    return process


@pytest.mark.parametrize("runner", ["engine", "kfp"])
def test_sigterm_takes_in_what_is_on_its_way_and_asks_for_nothing_more(runner: str) -> None:
    with StubTeacher(answer=reply, latency=2.0) as stub:
        process = start(stub, "--runner", runner)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 143
        assert len(stub.requests) == 1
        assert "1 answer is kept in out/checkpoint; the same command goes on from there." in told
        assert told.rstrip().endswith("Stopped by SIGTERM.")
        assert "Traceback" not in told

        stub.reset()
        stub.latency = 0.0
        assert main(command(stub, "--runner", runner)) == 0
        assert len(stub.requests) == len(ROWS) - 1
    assert replies() == REPLIES


@pytest.mark.parametrize("runner", ["engine", "kfp"])
def test_a_second_sigterm_waits_for_nothing(runner: str) -> None:
    with StubTeacher(answer=reply, latency=600) as stub:
        process = start(stub, "--runner", runner)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        line = ""
        while "a second signal" not in line:
            line = process.stderr.readline()
            assert line, "the run ended early"
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 143
        # A line about the run may come before it on a slow machine.
        assert told.endswith("Stopped at once by a second SIGTERM.\n")

        stub.latency = 0.0
        for _ in range(50):  # the tasks go with their run, but a little later
            if main(command(stub, "--runner", runner)) == 0:
                break
            time.sleep(0.1)
    assert replies() == REPLIES
