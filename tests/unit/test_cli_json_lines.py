"""A run as JSON lines, for whatever collects logs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.console import say, speak_json
from kfp_sdg.cli.json_lines import JsonLines
from kfp_sdg.cli.notices import show_warnings
from kfp_sdg.cli.progress import watcher_for
from kfp_sdg.engine import RunResult
from kfp_sdg.errors import BlockError, Position, Problem
from kfp_sdg.storage import HistoryEntry
from kfp_sdg.teacher import RequestStatistics, Usage
from screens import ASKED, Screen, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def for_people() -> Iterator[None]:
    """Leave no other test with messages in JSON."""
    yield
    speak_json(False)


def events(screen: Screen) -> list[dict[str, Any]]:
    """Return what was written, each with its time checked and taken away."""
    objects = [json.loads(line) for line in screen.text.splitlines()]
    for value in objects:
        assert datetime.fromisoformat(value.pop("time")).utcoffset() is not None
    return objects


def test_every_line_is_an_object_and_the_story_is_whole() -> None:
    screen = Screen(40)
    with JsonLines(screen.console) as lines:
        lines.block_started(1, 2, "gen\nquestions", "LLMBlock", 1000, RequestStatistics())
        lines.waiting("http://t/v1", "connection refused", 600.0)
        lines.waiting("http://t/v1", "connection refused", 599.0)
        lines.back("http://t/v1")
        lines.warn("careful")
        lines.block_finished(1, ASKED)
    told = events(screen)
    assert [value["event"] for value in told] == [
        "run_started",
        "block_started",
        "teacher_away",
        "teacher_back",
        "warning",
        "block_finished",
        "run_finished",
    ]
    assert told[1] == {
        "event": "block_started",
        "index": 1,
        "blocks": 2,
        "block": "gen\nquestions",
        "type": "LLMBlock",
        "rows_in": 1000,
    }
    assert told[2]["why"] == "connection refused"
    assert told[2]["seconds_left"] == 600.0
    assert told[4] == {"event": "warning", "message": "careful"}
    assert told[6]["rows"] == 2900


def test_a_finished_blocks_books_are_those_of_the_manifest() -> None:
    screen = Screen(80)
    with JsonLines(screen.console) as lines:
        lines.block_started(1, 1, "gen_questions", "LLMBlock", 1000)
        lines.block_finished(1, ASKED)
    finished = next(value for value in events(screen) if value["event"] == "block_finished")
    assert HistoryEntry.from_json(finished) == ASKED


def test_at_each_interval_a_line_has_the_numbers_of_every_block_at_work() -> None:
    statistics = RequestStatistics()
    for _ in range(4):
        statistics.note_wait(0.5)
        statistics.note_answer(2.0, Usage(1, 10, 5))
    statistics.note_retry("429")
    statistics.note_retry("timeout")
    statistics.note_retry("429")
    statistics.note_journal_hit()
    statistics.parse_failures += 1
    screen = Screen(80)
    with JsonLines(screen.console, every=0.01) as lines:
        lines.block_started(1, 2, "gen", "LLMBlock", 9, statistics)
        lines.block_progress(1, arrived=8, done=5, rejected=1, usage=Usage(4, 40, 20))
        lines.block_started(2, 2, "keep", "FilterByValueBlock", None)
        wait_for(lambda: '"block": "keep", "rows_in": null' in screen.text)
    progress = [value for value in events(screen) if value["event"] == "progress"][-1]
    assert progress["seconds"] > 0
    gen, keep = progress["blocks"]
    for name in ("latency_p50", "latency_p95", "latency_p99"):
        assert gen.pop(name) == pytest.approx(2.0, rel=0.02)
    assert gen == {
        "index": 1,
        "block": "gen",
        "rows_in": 9,
        "arrived": 8,
        "done": 5,
        "rejected": 1,
        "requests": 4,
        "prompt_tokens": 40,
        "completion_tokens": 20,
        "parse_failures": 1,
        "retries": 3,
        "retries_by_cause": {"429": 2, "timeout": 1},
        "journal_hits": 1,
        "wait_seconds": 2.0,
    }
    assert keep["requests"] == 0
    assert keep["latency_p50"] is keep["retries"] is None


def test_lines_come_also_while_no_block_is_at_work() -> None:
    screen = Screen(80)
    with JsonLines(screen.console, every=0.01):
        wait_for(lambda: '"progress"' in screen.text)
    progress = next(value for value in events(screen) if value["event"] == "progress")
    assert progress["blocks"] == []


def test_a_run_that_stops_says_where_and_why() -> None:
    screen = Screen(80)

    def fail() -> None:
        with JsonLines(screen.console) as lines:
            lines.block_started(1, 1, "gen", "LLMBlock", 1)
            lines.run_stopped(RunResult(pa.table({"a": [1, 2]})), "gen")
            raise BlockError("too many rows\nrejected", block_name="gen")

    with pytest.raises(BlockError):
        fail()
    last = events(screen)[-1]
    assert last.pop("seconds") >= 0
    assert last == {
        "event": "run_stopped",
        "block": "gen",
        "kind": "BlockError",
        "message": "block 'gen': too many rows\nrejected",
        "rows": 2,
    }


def test_what_is_said_before_and_after_is_json_too() -> None:
    screen = Screen(20)
    watcher_for("json", screen.console)
    say("Resuming from a rather long place.", console=screen.console)
    say("no such model", label="Error", console=screen.console)
    watcher_for("plain", screen.console)
    say("for people", console=screen.console)
    assert events_of(screen, 2) == [
        {"event": "message", "message": "Resuming from a rather long place."},
        {"event": "error", "message": "no such model"},
    ]
    assert screen.text.splitlines()[-1] == "for people"


def test_warnings_about_a_pipelines_files_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    speak_json(True)
    doubtful = Problem("the key is not used", Position("flow.yaml", 3, 1))
    show_warnings([doubtful, doubtful])
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "warning"
    assert json.loads(line)["message"] == "flow.yaml:3:1: the key is not used"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--input", "r.jsonl", "--output", "out"], ["p.yaml:3:5: ", "p.yaml:5:5: "]),
        (["--input", "r.jsonl"], ["Missing option '--output'", "See `kfp-sdg run --help`."]),
        (["--input", "r.jsonl", "--output", "out", "--max-rejected", "x"], ["--max-rejected: 'x'"]),
        (
            ["--input", "r", "--output", "out", "--teacher-timeout", "0"],
            ["Invalid value for '--teacher-timeout'", "See `kfp-sdg run --help`."],
        ),
    ],
)
def test_mistakes_found_before_the_run_are_json_too(
    more: list[str],
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text("version: '1.0'\nblocks:\n  - nam: a\n    type: X\n  - type: Y\n")
    assert main(["run", "p.yaml", *more, "--log-format", "json"]) == 2
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[0]["event"] == "error"
    for text in told:
        assert any(line["message"].startswith(text) for line in lines)


def events_of(screen: Screen, count: int) -> list[dict[str, Any]]:
    """Return the first objects that were written."""
    first = Screen(80)
    first.file.write("\n".join(screen.text.splitlines()[:count]))
    return events(first)
