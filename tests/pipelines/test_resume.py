"""A run that is killed, again and again, ends with the rows of one that is left alone."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kfp_sdg.engine import read_run
from kfp_sdg.teacher.journal import open_journal
from signals import reset_signals

if TYPE_CHECKING:
    from pathlib import Path

    from stub_answers import Ask
    from stub_teacher import StubTeacher

KILLS = 20
CAP = 8
LATENCY = 0.08


def config(generation: str, *tags: str) -> dict[str, Any]:
    parts = dict.fromkeys(("system", "introduction", "principles", "examples"), "")
    return {
        **parts,
        "generation": generation,
        "start_tags": [f"[{tag}]" for tag in tags],
        "end_tags": [f"[/{tag}]" for tag in tags],
    }


def asking(config_path: str, *output_cols: str, **gen_kwargs: Any) -> dict[str, Any]:
    return {
        "config_path": config_path,
        "output_cols": list(output_cols),
        "model_family": "blank",
        "gen_kwargs": {"max_tokens": 50, **gen_kwargs},
    }


CONFIGS = {
    "question.yaml": config("QUESTION about {{topic}}", "Q"),
    "reply.yaml": config("REPLY to {{question}}", "A"),
    "judge.yaml": config("JUDGE {{reply}} to {{question}}", "S"),
}
BLOCKS = [
    {
        "name": "question",
        "type": "LLMBlock",
        "config": asking("question.yaml", "question", n=2, temperature=0.5),
        "drop_duplicates": ["id", "question"],
    },
    {
        "name": "reply",
        "type": "IterBlock",
        "config": {
            "num_iters": 2,
            "block_type": "LLMBlock",
            **asking("reply.yaml", "reply", temperature=0.7),
        },
    },
    {"name": "judge", "type": "LLMBlock", "config": asking("judge.yaml", "score")},
    {
        "name": "good",
        "type": "FilterByValueBlock",
        "config": {
            "filter_column": "score",
            "filter_value": 1,
            "operation": "ge",
            "convert_dtype": "int",
        },
    },
]
# Topics come again, so that some requests are equal; two of three answers pass the judge.
ROWS = [{"id": i, "topic": f"topic {i % 20}"} for i in range(24)]


def answer(ask: Ask) -> str:
    """Answer by the prompt, and by the place among the answers to it."""
    drawn = sha256(f"{ask.prompt}/{ask.place}".encode()).hexdigest()[:8]
    kind = ask.prompt.split()[0]
    return {
        "QUESTION": f"[Q]why {drawn}[/Q]",
        "REPLY": f"[A]since {drawn}[/A]",
        "JUDGE": f"[S]{int(drawn, 16) % 3}[/S]",
    }[kind]


@dataclass
class Case:
    """A pipeline with its rows, run by the command line against the stub."""

    folder: Path
    stub: StubTeacher
    blocks: list[dict[str, Any]] = field(default_factory=lambda: json.loads(json.dumps(BLOCKS)))
    configs: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(CONFIGS)))
    rows: list[dict[str, Any]] = field(default_factory=lambda: list(ROWS))
    model: str = "stub-model"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    def write(self) -> None:
        self.folder.mkdir(exist_ok=True)
        pipeline = {"version": "1.0", "blocks": self.blocks}
        (self.folder / "pipeline.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
        for name, text in self.configs.items():
            (self.folder / name).write_text(yaml.safe_dump(text, sort_keys=False))
        lines = [json.dumps(row) + "\n" for row in self.rows]
        (self.folder / "rows.jsonl").write_text("".join(lines))

    def start(self) -> subprocess.Popen[bytes]:
        """Start a run whose answers go to the checkpoint."""
        self.write()
        options = {
            "--input": self.folder / "rows.jsonl",
            "--output": self.output,
            "--runner": "engine",
            "--teacher-url": self.stub.url,
            "--model-id": self.model,
            "--checkpoint": self.checkpoint,
            "--max-concurrency": CAP,
        }
        given = [str(part) for option in options.items() for part in option]
        return subprocess.Popen(
            [sys.executable, "-m", "kfp_sdg.cli", "run", self.folder / "pipeline.yaml", *given],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("wb"),
            preexec_fn=reset_signals,
        )

    def finish(self) -> list[dict[str, Any]]:
        """Run to the end; return what the last block put out."""
        with self.start() as process:
            status = process.wait()
        assert status == 0, (self.folder / "log").read_text()
        return read_run(self.output).rows.to_pylist()

    def asked(self) -> Counter[str]:
        """Return how often each body came to the server."""
        return Counter(json.dumps(body, sort_keys=True) for body in self.stub.requests)

    def asked_anew(self) -> Counter[str]:
        """Run to the end; return the prompts that came to the server, by the prompt's kind."""
        self.stub.reset()
        self.finish()
        return Counter(prompt.split()[0] for prompt in self.stub.prompts)

    def kept(self) -> int:
        """Return how many answers the checkpoint holds, and leave it as it is."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        if not self.checkpoint.exists():
            return 0
        shutil.copytree(self.checkpoint, copy)
        with open_journal(copy) as journal:
            return journal.kept


@pytest.fixture
def case(stub_teacher: StubTeacher, tmp_path: Path) -> Case:
    stub_teacher._answer = answer
    return Case(tmp_path / "case", stub_teacher)


@pytest.fixture
def finished(case: Case) -> Case:
    """A case whose first run came to its end."""
    case.finish()
    return case


def kill_at_some_moment(case: Case, dice: random.Random) -> bool:
    """Start a run and kill it; return whether it was alive.

    Mostly it has asked something by then. How much does not depend on the machine's speed.
    """
    before = len(case.stub.requests)
    process = case.start()
    if dice.random() < 0.9:
        asked = before + dice.randint(1, 3 * CAP)
        while len(case.stub.requests) < asked and process.poll() is None:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, LATENCY))
    else:
        time.sleep(dice.uniform(0, 1))
    process.kill()
    return process.wait() == -signal.SIGKILL


def test_a_run_killed_at_20_moments_ends_as_if_it_had_been_left_alone(case, tmp_path):
    undisturbed = Case(tmp_path / "undisturbed", case.stub)
    rows = undisturbed.finish()
    needed = undisturbed.asked()
    assert len(rows) > 50
    assert max(needed.values()) > 1

    case.stub.reset()
    case.stub.latency = LATENCY
    dice = random.Random(20)
    paid = kept = kills = in_flight = 0
    while kills < KILLS and kill_at_some_moment(case, dice):
        kills += 1
        time.sleep(0.05)  # what the dead process had sent may still be on its way to the server
        newly_paid, newly_kept = len(case.stub.requests) - paid, case.kept() - kept
        assert 0 <= newly_paid - newly_kept <= CAP
        in_flight += newly_paid - newly_kept
        paid, kept = paid + newly_paid, kept + newly_kept
    case.stub.latency = 0
    assert case.finish() == rows
    assert kills == KILLS
    assert kept > 3 * KILLS
    assert case.asked().keys() == needed.keys()
    assert sum((case.asked() - needed).values()) == in_flight > 0
    assert not needed - case.asked()

    case.stub.reset()
    assert case.finish() == rows
    assert case.stub.requests == []


def test_a_run_that_is_told_to_end_keeps_every_answer_it_has_asked_for(case):
    """SIGTERM, as a pod gets that is evicted: what is in flight is waited for."""
    case.stub.latency = 0.5
    process = case.start()
    while len(case.stub.requests) < 2 * CAP:
        time.sleep(0.002)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    paid = len(case.stub.requests)
    assert case.kept() == paid < 3 * CAP

    case.stub.latency = 0
    rows = case.finish()
    asked = case.asked()
    case.stub.reset()
    undisturbed = Case(case.folder.parent / "undisturbed", case.stub)
    assert rows == undisturbed.finish()
    assert asked == undisturbed.asked()  # nothing was paid twice


def test_equal_questions_keep_answers_of_their_own_through_a_kill(case):
    """Sampling: the server says something else each time, and nothing is lost or used twice."""
    served: list[str] = []

    def never_the_same(ask: Ask) -> str:
        served.append(f"since {len(served)}")
        return f"[A]{served[-1]}[/A]"

    case.stub._answer = never_the_same
    case.stub.latency = LATENCY
    case.configs = {"reply.yaml": CONFIGS["reply.yaml"]}
    case.blocks = [BLOCKS[1]]
    case.rows = [{"id": i, "question": "the same"} for i in range(40)]

    process = case.start()
    while len(served) < 30:
        time.sleep(0.002)
    process.kill()
    process.wait()
    kept = case.kept()
    assert 20 <= kept < 80

    rows = case.finish()
    replies = [row["reply"] for row in rows]
    assert [row["id"] for row in rows] == 2 * list(range(40))
    assert len(set(replies)) == 80
    assert set(replies) <= set(served)
    assert len(served) == len(case.stub.requests) <= 80 + CAP
    before_the_kill = set(served[: len(served) - (80 - kept)])
    assert len(set(replies) & before_the_kill) == kept

    case.stub.reset()
    assert case.finish() == rows
    assert case.stub.requests == []


# -- what changed is asked again, and nothing else ----------------------------------------------


def test_a_changed_model_asks_everything_again(finished):
    finished.stub.models = ("stub-model", "other")
    finished.model = "other"
    first = finished.asked_anew()
    assert min(first["QUESTION"], first["REPLY"], first["JUDGE"]) > 0
    finished.model = "stub-model"
    assert finished.asked_anew() == {}


def test_rows_inserted_at_the_top_are_the_only_ones_asked_about(finished):
    before = read_run(finished.output).rows.to_pylist()
    finished.rows = [{"id": 100 + i, "topic": f"new {i}"} for i in range(3)] + finished.rows
    assert finished.asked_anew() == {"QUESTION": 3, "REPLY": 12, "JUDGE": 12}
    after = read_run(finished.output).rows.to_pylist()
    assert [row for row in after if row["id"] < 100] == before


def test_rows_taken_away_and_turned_round_are_not_asked_about_again(finished):
    finished.rows = finished.rows[10:20][::-1]
    assert finished.asked_anew() == {}


def test_a_changed_prompt_asks_its_block_again_and_what_follows_only_where_it_differs(finished):
    finished.configs["judge.yaml"] = config("JUDGE strictly {{reply}} to {{question}}", "S")
    anew = finished.asked_anew()
    assert set(anew) == {"JUDGE"}
    assert anew["JUDGE"] > 80


def test_changed_settings_of_one_block_ask_that_block_again(finished):
    """The stub's answers do not depend on the temperature, so what follows has its answers."""
    finished.blocks[1]["config"]["gen_kwargs"]["temperature"] = 0.9
    assert set(finished.asked_anew()) == {"REPLY"}


def test_a_changed_first_block_asks_what_follows_only_about_new_texts(finished):
    finished.blocks[0]["config"]["gen_kwargs"]["n"] = 3
    anew = finished.asked_anew()
    assert anew == {"QUESTION": 24, "REPLY": 48, "JUDGE": 48}


def test_a_block_added_at_the_end_asks_for_itself_alone(finished):
    finished.blocks.append(
        {"name": "again", "type": "LLMBlock", "config": asking("judge.yaml", "second")}
    )
    assert set(finished.asked_anew()) == {"JUDGE"}
    assert finished.asked_anew() == {}


def test_a_filter_that_changed_asks_nothing(finished):
    finished.blocks[3]["config"]["filter_value"] = 2
    assert finished.asked_anew() == {}


# -- damage -------------------------------------------------------------------------------------


def test_a_damaged_checkpoint_gives_the_same_rows_and_asks_for_what_was_lost(finished):
    rows = read_run(finished.output).rows.to_pylist()
    (segment,) = finished.checkpoint.glob("segment-*")
    content = bytearray(segment.read_bytes())
    for place in (len(content) // 3, len(content) // 2, len(content) - 1):
        content[place] ^= 0x10
    segment.write_bytes(content)
    finished.stub.reset()
    assert finished.finish() == rows
    assert len(finished.stub.requests) == 3
    assert "damaged from byte" in (finished.folder / "log").read_text()
