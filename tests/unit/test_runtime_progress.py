"""What a task prints while its block is at work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.runtime.progress import OutageLines, PlainProgress, waiting_text
from kfp_sdg.teacher import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "http://teacher:8000/v1"


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets time go by."""
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def go_by(seconds: float) -> None:
        now[0] += seconds

    return go_by


def progress(rows: int, *, every: float) -> PlainProgress:
    """Return the progress of a block that has begun."""
    lines = PlainProgress(every=every)
    lines.block_started(1, 1, "gen", "LLMBlock", rows)
    return lines


def test_progress_lines_tell_rows_rejected_rows_and_tokens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = progress(1200, every=0)
    lines.block_progress(1, arrived=100, done=100, rejected=0, usage=Usage())
    lines.block_progress(1, arrived=1100, done=1000, rejected=3, usage=Usage(1, 10, 2000))
    assert capsys.readouterr().out.splitlines() == [
        "gen: 100/1,200 rows",
        "gen: 1,100/1,200 rows, 3 rejected, 2,000 tokens",
    ]


def test_progress_is_silent_until_its_time_has_come(
    capsys: pytest.CaptureFixture[str], advance: Callable[[float], None]
) -> None:
    lines = progress(10, every=5)
    printed = []
    for second in range(12):
        lines.block_progress(1, arrived=1, done=1, rejected=0, usage=Usage())
        printed += [second] * bool(capsys.readouterr().out)
        advance(1)
    assert printed == [5, 10]


def test_a_task_says_that_its_teacher_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress(10, every=5)
    lines.waiting(URL, "connection refused", 600)
    lines.back(URL)
    assert capsys.readouterr().out.splitlines() == [
        f"teacher at {URL}: connection refused; waiting for it, 10:00 left",
        f"teacher at {URL}: back after 0 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "left"),
    [(-1.0, "0:00"), (9.4, "0:09"), (552.0, "9:12"), (3600.0, "1:00:00"), (7384.0, "2:03:04")],
)
def test_the_time_that_is_left_is_a_clocks(seconds: float, left: str) -> None:
    assert waiting_text(URL, "gone", seconds).endswith(f"gone; waiting for it, {left} left")


def outage(lines: OutageLines, seconds: int, advance: Callable[[float], None]) -> None:
    """Let a server be away for some seconds, told once a second."""
    for second in range(seconds):
        lines.waiting(URL, "gone", 600 - second)
        advance(1)
    lines.back(URL)


def test_an_outage_is_told_at_once_every_half_minute_and_when_it_is_over(
    advance: Callable[[float], None],
) -> None:
    told: list[str] = []
    outage(OutageLines(told.append), 65, advance)
    assert [line.removeprefix(f"teacher at {URL}: ") for line in told] == [
        "gone; waiting for it, 10:00 left",
        "gone; waiting for it, 9:30 left",
        "gone; waiting for it, 9:00 left",
        "back after 65 s",
    ]


def test_a_second_outage_is_told_too(advance: Callable[[float], None]) -> None:
    told: list[str] = []
    lines = OutageLines(told.append)
    outage(lines, 3, advance)
    advance(10)
    outage(lines, 3, advance)
    assert len(told) == 4
    assert told[:2] == told[2:]


def test_a_server_that_comes_and_goes_does_not_flood_the_log(
    advance: Callable[[float], None],
) -> None:
    told: list[str] = []
    lines = OutageLines(told.append)
    for _ in range(60):
        outage(lines, 1, advance)
    assert len(told) == 4  # in a minute: twice away, twice back


def test_each_server_is_told_of() -> None:
    told: list[str] = []
    lines = OutageLines(told.append)
    lines.waiting(URL, "gone", 600)
    lines.waiting("http://judge/v1", "gone", 600)
    assert ["judge" in line for line in told] == [False, True]


def test_a_server_that_was_not_away_does_not_come_back() -> None:
    told: list[str] = []
    OutageLines(told.append).back(URL)
    assert told == []
