"""Containers that fail, are killed or told to end: the right words, what is kept, nothing left."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from container_runs import containers
from kfp_runs import DROP_B, PROMPT, ROWS, Meddler, Notes, interrupt, write_rows
from kfp_sdg.cli.__main__ import main
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.engine import read_run
from kfp_sdg.errors import BlockError
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from signals import reset_signals

if TYPE_CHECKING:
    from kfp_sdg.compiler.containers import ContainerTool
    from stub_answers import Ask
    from stub_teacher import StubTeacher


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch, tool: ContainerTool) -> LocalRunOptions:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return LocalRunOptions(plugins=("probe_blocks",), containers=tool)


def failure(
    kind: str, folder: Path, options: LocalRunOptions, notes: Notes | None = None
) -> BlockError:
    """Run a block that gets into trouble behind one that does not; return the run's error."""
    trouble = BlockSpec("trouble", "TroubleBlock", {"kind": kind})
    rows = write_rows(folder / "rows.jsonl", ROWS)
    notes = notes or Notes()
    with pytest.raises(BlockError) as caught:
        run_with_kfp(PipelineSpec((DROP_B, trouble)), rows, folder / "out", options, notes)
    assert caught.value.block_name == "trouble"
    assert not (folder / "out" / "dataset").exists()
    assert notes.stopped is not None
    partial, stopped_at = notes.stopped
    assert stopped_at == "trouble"
    assert [entry.block for entry in partial.history] == ["drop b"]
    assert partial.rows.num_rows == 3
    return caught.value


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("status 7", "stopped without an explanation.*about to be in trouble: status 7"),
        ("status 125", "stopped without an explanation.*about to be in trouble: status 125"),
        ("exception", "ZeroDivisionError: of no number by no number"),
    ],
)
def test_a_block_that_fails_fails_the_run_and_what_was_finished_is_handed_over(
    kind: str, words: str, folder: Path, options: LocalRunOptions
) -> None:
    assert re.search(words, str(failure(kind, folder, options)))


def test_a_block_fails_in_its_own_words(folder: Path, options: LocalRunOptions) -> None:
    rows = write_rows(folder / "rows.jsonl", ROWS)
    needs = BlockSpec("rename", "RenameColumnsBlock", {"columns_map": {"nowhere": "x"}})
    with pytest.raises(BlockError) as ours:
        run_with_kfp(PipelineSpec((needs,)), rows, folder / "out", options)
    with pytest.raises(BlockError) as theirs:
        run_with_kfp(PipelineSpec((needs,)), rows, folder / "out2")
    assert str(ours.value) == str(theirs.value)


def test_a_container_that_somebody_kills_fails_the_run(
    folder: Path, options: LocalRunOptions, tool: ContainerTool
) -> None:
    def kill() -> None:
        (name,) = containers(tool)
        tool.ask("kill", "--signal", "KILL", name)

    error = failure("sleep", folder, options, Meddler(2, kill))
    assert "the task's container was killed (SIGKILL)" in str(error)


def test_a_task_that_needs_more_memory_than_it_has_fails_the_run(
    folder: Path, options: LocalRunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_SDG_CONTAINER_OPTIONS", "--memory=400m --memory-swap=400m")
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    assert "most likely it ran out of memory" in str(failure("memory", folder, options))
    assert list((folder / "here").iterdir()) == []


@pytest.mark.parametrize("kind", ["sleep", "sleep deaf"])
def test_an_interrupt_ends_a_task_whether_it_listens_or_not(
    kind: str, folder: Path, options: LocalRunOptions
) -> None:
    sleeping = BlockSpec("sleeps", "TroubleBlock", {"kind": kind})
    rows = write_rows(folder / "rows.jsonl", ROWS)
    notes = Meddler(2, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_with_kfp(PipelineSpec((DROP_B, sleeping)), rows, folder / "out", options, notes)
    assert notes.stopped is not None
    partial, stopped_at = notes.stopped
    assert (stopped_at, partial.rows.num_rows) == ("sleeps", 3)


COUNT = 12
LATENCY = 0.5


class Case:
    """A pipeline of one block that asks, run by the command line."""

    def __init__(self, folder: Path, stub: StubTeacher, tool: ContainerTool) -> None:
        self.folder, self.stub, self.tool = folder, stub, tool
        block = {
            "name": "ask",
            "type": "LLMBlock",
            "config": {
                "config_path": "q.yaml",
                "output_cols": ["question"],
                "gen_kwargs": {"max_tokens": 64},
            },
        }
        pipeline = {"version": "1.0", "blocks": [block]}
        (folder / "pipeline.yaml").write_text(yaml.safe_dump(pipeline))
        (folder / "q.yaml").write_text(yaml.safe_dump(PROMPT.content))
        write_rows(folder / "rows.jsonl", [{"document": f"About {n}."} for n in range(COUNT)])

    @property
    def command(self) -> list[str]:
        options = {
            "--input": "rows.jsonl",
            "--output": "out",
            "--runner": "container",
            "--container-tool": self.tool.path,
            "--teacher-url": self.stub.url,
            "--max-concurrency": "2",
            "--log-format": "json",
        }
        return ["run", "pipeline.yaml", *(part for option in options.items() for part in option)]

    def start(self, asked: int) -> subprocess.Popen[bytes]:
        """Start a run, and wait until it has asked so many questions."""
        process = subprocess.Popen(
            [sys.executable, "-m", "kfp_sdg.cli", *self.command],
            cwd=self.folder,
            stderr=(self.folder / "log").open("wb"),
            preexec_fn=reset_signals,
        )
        while len(self.stub.requests) < asked:
            assert process.poll() is None, self.log
            time.sleep(0.02)
        return process

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def finish(self) -> int:
        """Run to the end; return how often the teacher was asked for that."""
        self.stub.latency = 0.0
        before = len(self.stub.requests)
        with self.start(0) as process:
            assert process.wait() == 0, self.log
        rows = read_run(self.folder / "out").rows
        assert rows["question"].to_pylist() == rows["document"].to_pylist()
        assert rows.num_rows == COUNT
        return len(self.stub.requests) - before


@pytest.fixture
def case(folder: Path, stub_teacher: StubTeacher, tool: ContainerTool) -> Case:
    def answer(ask: Ask) -> str:
        (about,) = re.findall(r"About \d+\.", ask.prompt)
        return f"[Question]{about}[End]"

    stub_teacher._answer = answer
    stub_teacher.latency = LATENCY
    return Case(folder, stub_teacher, tool)


def test_sigterm_reaches_the_task_which_takes_in_the_answers_under_way(case: Case) -> None:
    process = case.start(asked=5)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    asked = len(case.stub.requests)
    assert asked < COUNT
    assert f"{asked} answers are kept in out/checkpoint" in case.log
    assert containers(case.tool) == []
    assert case.finish() == COUNT - asked


def test_ctrl_c_ends_the_run_and_its_containers(case: Case) -> None:
    process = case.start(asked=5)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert containers(case.tool) == []
    assert "are kept in out/checkpoint; the same command goes on from there" in case.log


def test_nothing_of_a_killed_run_goes_on_or_stays_and_the_next_one_goes_on_from_there(
    case: Case,
) -> None:
    process = case.start(asked=6)
    process.kill()
    process.wait()
    for _ in range(100):
        if not containers(case.tool):
            break
        time.sleep(0.1)
    assert containers(case.tool) == []
    under_way = 2
    assert len(case.stub.requests) < COUNT
    assert case.finish() <= COUNT - 6 + under_way


def test_an_image_that_is_missing_is_said_in_one_paragraph(
    folder: Path,
    tool: ContainerTool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kfp_sdg.compiler.package.CompiledGraph.images", ("example.org/no:v1",))
    monkeypatch.chdir(folder)
    write_rows(folder / "rows.jsonl", ROWS)
    block = {"name": "b", "type": "DuplicateColumnsBlock", "config": {"columns_map": {"n": "m"}}}
    Path("p.yaml").write_text(json.dumps({"version": "1.0", "blocks": [block]}))
    arguments = ["--runner", "container", "--container-tool", tool.path]
    assert main(["run", "p.yaml", "--input", "rows.jsonl", "--output", "out", *arguments]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "example.org/no:v1: not among the images" in told
    assert "`make images`" in told
