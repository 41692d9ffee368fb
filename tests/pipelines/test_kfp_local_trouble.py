"""Tasks that KFP runs on this machine, when they are killed, interrupted and run again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kfp_runs import DROP_B, PROMPT, ROWS, Meddler, interrupt, write_rows
from kfp_sdg.compiler import LocalRunOptions, run_with_kfp
from kfp_sdg.engine import read_run
from kfp_sdg.errors import BlockError
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from stub_answers import Ask

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
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.jsonl", ROWS)


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


def test_an_interrupt_stops_the_tasks_and_hands_over_what_was_finished(
    rows: Path, tmp_path: Path, trouble: LocalRunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    notes = Meddler(2, interrupt)
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
