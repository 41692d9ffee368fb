"""Pipelines as KFP runs them on this machine, against the engine."""

from __future__ import annotations

import builtins
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.engine import Observer, read_run, run
from kfp_sdg.errors import BlockError, StorageError, TeacherError
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec
from kfp_sdg.storage import fingerprint, read_rows
from kfp_sdg.teacher import TeacherOptions, connect
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics, Usage
    from stub_answers import Ask

PROMPT = ConfigFile(
    "q.yaml",
    {
        "system": "You write questions.",
        "introduction": "Write [Question] your question [End].",
        "principles": "",
        "examples": "",
        "generation": "{{document}}",
        "start_tags": ["[Question]"],
        "end_tags": ["[End]"],
    },
)
DROP_B = BlockSpec(
    "drop b",
    "FilterByValueBlock",
    {"filter_column": "kind", "filter_value": "b", "operation": "ne"},
)
JOIN = BlockSpec(
    "join",
    "CombineColumnsBlock",
    {"columns": ["text", "kind"], "output_col": "both", "separator": " {{-}} "},
    drop_columns=("text",),
    drop_duplicates=("both",),
)
ASK = BlockSpec(
    "gen_q",
    "LLMBlock",
    {
        "config_path": "q.yaml",
        "output_cols": ["question"],
        "gen_kwargs": {"n": "scaled", "temperature": 0.7, "max_tokens": 64},
    },
)


class Notes(Observer):
    """Writes down what an observer is told."""

    def __init__(self) -> None:
        self.started: list[tuple[int, int, str, str, int | None]] = []
        self.finished: list[HistoryEntry] = []
        self.sums: dict[int, Counter[str]] = {}
        self.stopped: tuple[RunResult, str] | None = None

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        self.started.append((index, total, name, block_type, rows_in))

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        sums = self.sums.setdefault(index, Counter())
        sums.update(arrived=arrived, done=done, rejected=rejected, requests=usage.requests)

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        self.finished.append(entry)
        told = self.sums[index]
        assert told["arrived"] == told["done"] == entry.rows_in
        assert (told["rejected"], told["requests"]) == (entry.rejected, entry.requests)

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        self.stopped = (partial, block_name)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(
        tmp_path / "rows.jsonl",
        [
            {"text": "one", "kind": "a", "n": 1, "tags": ["x"], "document": "About rivers."},
            {"text": "two", "kind": "b", "n": 2, "tags": [], "document": "About stones."},
            {"text": "one", "kind": "a", "n": 3, "tags": ["z"], "document": "About {{birds}}."},
            {"text": "drei „3“", "kind": "c", "n": None, "tags": None, "document": "About wind."},
        ],
    )


def same_rows(result: RunResult, expected: RunResult) -> None:
    """Both have the same rows, rejected rows, and books (but for the seconds)."""
    assert result.rows.to_pylist() == expected.rows.to_pylist()
    assert fingerprint(result.rows) == fingerprint(expected.rows)
    assert result.rejected.keys() == expected.rejected.keys()
    for name, table in expected.rejected.items():
        assert fingerprint(result.rejected[name]) == fingerprint(table)
    for ours, theirs in zip(result.history, expected.history, strict=True):
        assert (ours.block, ours.type, ours.rows_in, ours.rows_out, ours.rejected_by_reason) == (
            theirs.block,
            theirs.type,
            theirs.rows_in,
            theirs.rows_out,
            theirs.rejected_by_reason,
        )


def test_a_pipeline_of_column_blocks_gives_the_engines_rows_and_leaves_nothing_else(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    printer = builtins.print
    spec = PipelineSpec((DROP_B, JOIN))
    notes = Notes()

    result = run_with_kfp(spec, rows, tmp_path / "out", observer=notes)

    same_rows(result, run(spec, read_rows(rows), PipelineContext()))
    assert result.rows.num_rows == 2
    same_rows(read_run(tmp_path / "out"), result)
    assert notes.started == [
        (1, 2, "drop b", "FilterByValueBlock", 4),
        (2, 2, "join", "CombineColumnsBlock", 3),
    ]
    assert tuple(notes.finished) == result.history
    assert notes.stopped is None
    assert list(here.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert builtins.print is printer


def test_a_pipeline_that_asks_the_teacher_gives_the_engines_rows(
    rows: Path, tmp_path: Path, stub_teacher: StubTeacher
) -> None:
    spec = PipelineSpec((DROP_B, ASK, JOIN), files={"q.yaml": PROMPT})
    with connect(TeacherOptions(url=stub_teacher.url)) as teachers:
        context = PipelineContext(teachers=teachers, num_instructions_to_generate=3)
        expected = run(spec, read_rows(rows), context)

    options = LocalRunOptions(teacher_url=stub_teacher.url, num_instructions_to_generate=3)
    result = run_with_kfp(spec, rows, tmp_path / "out", options)

    same_rows(result, expected)
    assert result.history[1].rows_out == 9
    assert result.history[1].requests > 0


def test_rows_whose_answers_do_not_parse_are_kept_with_their_block(
    rows: Path, tmp_path: Path
) -> None:
    def answer(ask: Any) -> str:
        return "no tags" if "rivers" in str(ask) else "[Question]Why?[End]"

    spec = PipelineSpec((ASK,), files={"q.yaml": PROMPT})
    with StubTeacher(answer=answer) as stub:
        options = LocalRunOptions(teacher_url=stub.url, num_instructions_to_generate=1)
        result = run_with_kfp(spec, rows, tmp_path / "out", options)
    assert result.rows.num_rows == 3
    (rejected,) = result.rejected["gen_q"].to_pylist()
    assert rejected["rejected_answer"] == "no tags"
    assert (tmp_path / "out" / "rejected" / "gen_q" / "_manifest.json").is_file()


def test_a_failing_block_fails_in_its_own_words_and_what_was_finished_is_handed_over(
    rows: Path, tmp_path: Path
) -> None:
    needs = BlockSpec("rename", "RenameColumnsBlock", {"columns_map": {"nowhere": "x"}})
    spec = PipelineSpec((DROP_B, needs, JOIN))
    with pytest.raises(BlockError) as theirs:
        run(PipelineSpec((needs,)), read_rows(rows), PipelineContext())
    notes = Notes()

    with pytest.raises(BlockError) as ours:
        run_with_kfp(spec, rows, tmp_path / "out", observer=notes)

    assert str(ours.value) == str(theirs.value)
    assert (ours.value.block_name, ours.value.block_type) == ("rename", "RenameColumnsBlock")
    assert "rename: 3 rows in" in str(ours.value.__cause__)  # the task's log, for --debug
    assert "base image" not in str(ours.value.__cause__)  # a warning of KFP that warns of nothing
    assert notes.stopped is not None
    partial, block_name = notes.stopped
    assert block_name == "rename"
    assert [entry.block for entry in partial.history] == ["drop b"]
    assert partial.rows.num_rows == 3
    assert not (tmp_path / "out" / "dataset").exists()


def test_rows_may_be_at_a_url(rows: Path, tmp_path: Path) -> None:
    result = run_with_kfp(PipelineSpec((DROP_B,)), rows.as_uri(), tmp_path / "out")
    assert result.rows.num_rows == 3


def test_rows_that_cannot_be_read_are_the_error_of_the_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.jsonl"):
        run_with_kfp(PipelineSpec((DROP_B,)), tmp_path / "nowhere.jsonl", tmp_path / "out")


def test_a_teacher_that_refuses_the_key_is_the_teachers_error(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_SDG_API_KEY", "wrong-key")
    spec = PipelineSpec((ASK,), files={"q.yaml": PROMPT})
    with StubTeacher(api_key="right-key") as stub, pytest.raises(TeacherError) as caught:
        run_with_kfp(spec, rows, tmp_path / "out", LocalRunOptions(teacher_url=stub.url))
    assert stub.url in str(caught.value)
    assert "wrong-key" not in str(caught.value)
    assert "wrong-key" not in str(caught.value.__cause__)


TROUBLE = """
import os, pathlib, signal, time
from kfp_sdg.blocks import Block, register

@register("LeavingBlock")
class LeavingBlock(Block):
    def apply(self, table, account):
        os._exit(0)

@register("KilledBlock")
class KilledBlock(Block):
    def apply(self, table, account):
        print("about to allocate", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

@register("SleepingBlock")
class SleepingBlock(Block):
    def apply(self, table, account):
        pathlib.Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
        print("sleeps: 1/4 rows", flush=True)
        time.sleep(600)

@register("KeyBlock")
class KeyBlock(Block):
    def apply(self, table, account):
        return table.append_column("key", [[os.environ["KFP_SDG_API_KEY"]] * table.num_rows])
"""


@pytest.fixture
def trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalRunOptions:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "trouble_blocks.py").write_text(TROUBLE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "plugins")
    return LocalRunOptions(plugins=("trouble_blocks",))


def test_a_task_that_ends_well_without_an_output_is_no_success(
    rows: Path, tmp_path: Path, trouble: LocalRunOptions
) -> None:
    spec = PipelineSpec((DROP_B, BlockSpec("leaves", "LeavingBlock")))
    with pytest.raises(BlockError, match="says that the task succeeded") as caught:
        run_with_kfp(spec, rows, tmp_path / "out", trouble)
    assert caught.value.block_name == "leaves"
    assert not (tmp_path / "out" / "dataset").exists()


def test_a_task_that_is_killed_fails_with_its_last_lines(
    rows: Path, tmp_path: Path, trouble: LocalRunOptions
) -> None:
    spec = PipelineSpec((BlockSpec("greedy", "KilledBlock"),))
    with pytest.raises(BlockError, match="about to allocate") as caught:
        run_with_kfp(spec, rows, tmp_path / "out", trouble)
    assert caught.value.block_name == "greedy"


def test_the_api_key_reaches_the_tasks_from_a_file_too(
    rows: Path, tmp_path: Path, trouble: LocalRunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("sesame\n", encoding="utf-8")
    monkeypatch.delenv("KFP_SDG_API_KEY", raising=False)
    monkeypatch.setenv("KFP_SDG_API_KEY_FILE", str(tmp_path / "key"))
    spec = PipelineSpec((BlockSpec("key", "KeyBlock"),))
    result = run_with_kfp(spec, rows, tmp_path / "out", trouble)
    assert result.rows["key"].to_pylist() == ["sesame"] * 4


def test_an_output_folder_with_other_things_is_refused_before_anything_runs(
    rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.odt").touch()
    notes = Notes()
    with pytest.raises(StorageError, match=r"thesis\.odt"):
        run_with_kfp(PipelineSpec((DROP_B,)), rows, tmp_path / "out", observer=notes)
    assert notes.started == []


def test_an_interrupt_stops_the_tasks_and_hands_over_what_was_finished(
    rows: Path, tmp_path: Path, trouble: LocalRunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(Notes):
        def block_progress(
            self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
        ) -> None:
            if index == 2 and done:
                raise KeyboardInterrupt
            super().block_progress(
                index, arrived=arrived, done=done, rejected=rejected, usage=usage
            )

    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    notes = Interrupting()
    spec = PipelineSpec((DROP_B, BlockSpec("sleeps", "SleepingBlock")))
    with pytest.raises(KeyboardInterrupt):
        run_with_kfp(spec, rows, tmp_path / "out", trouble, notes)
    assert notes.stopped is not None
    assert notes.stopped[1] == "sleeps"
    assert is_over(int((tmp_path / "pid").read_text()))


RUN = """
import sys
from pathlib import Path
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
spec = PipelineSpec((BlockSpec("sleeps", "SleepingBlock"),))
run_with_kfp(spec, *sys.argv[1:], LocalRunOptions(plugins=("trouble_blocks",)))
"""


@pytest.mark.usefixtures("trouble")
def test_nothing_of_a_killed_run_goes_on_or_stays(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    pid_file = tmp_path / "pid"
    paths = {"PYTHONPATH": tmp_path / "plugins", "PID_FILE": pid_file, "TMPDIR": tmp_path / "tmp"}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(rows), str(tmp_path / "out")],
        env={**os.environ, **{name: str(path) for name, path in paths.items()}},
    )
    while not (pid_file.exists() and pid_file.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert is_over(int(pid_file.read_text()))
    assert list((tmp_path / "tmp").iterdir()) == []


ASKING = """
import json, sys
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec
prompt, rows, out, url, checkpoint = sys.argv[1:]
config = {"config_path": "q.yaml", "output_cols": ["question"]}
files = {"q.yaml": ConfigFile("q.yaml", json.loads(prompt))}
spec = PipelineSpec((BlockSpec("gen q", "LLMBlock", config),), files=files)
options = LocalRunOptions(teacher_url=url, checkpoint=checkpoint, max_concurrency=2)
run_with_kfp(spec, rows, out, options)
"""


def test_a_task_that_is_killed_and_run_again_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"document": f"About {n}."} for n in range(12)])

    def answer(ask: Ask) -> str:
        (about,) = re.findall(r"About \d+\.", ask.prompt)
        return f"[Question]{about}[End]"

    with StubTeacher(answer=answer, latency=0.3) as stub:
        places = [str(rows), str(tmp_path / "out"), stub.url, str(tmp_path / "kept")]
        command = [sys.executable, "-c", ASKING, json.dumps(PROMPT.content), *places]
        process = subprocess.Popen(command)
        while len(stub.requests) < 6:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
        time.sleep(1)  # the tasks go with their parent
        before = len(stub.requests)
        assert before < 12
        stub.latency = 0.0
        subprocess.run(command, check=True)
        in_flight = 2
        assert len(stub.requests) <= 12 + in_flight
        stub.reset()
        subprocess.run(command, check=True)
        assert stub.requests == []
    result = read_run(tmp_path / "out").rows
    assert result["question"].to_pylist() == result["document"].to_pylist()
    assert result.num_rows == 12
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["gen q"]


def is_over(pid: int) -> bool:
    """Wait some seconds for a process to end; one that nobody asked about (a zombie) has ended."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state[0] == "Z":
            return True
        time.sleep(0.05)
    return False
