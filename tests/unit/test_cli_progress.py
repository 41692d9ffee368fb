"""What a person sees of a run while it goes on."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from kfp_sdg.cli.bars import Bars
from kfp_sdg.cli.console import speak_json
from kfp_sdg.cli.json_lines import JsonLines
from kfp_sdg.cli.notices import logged_warnings
from kfp_sdg.cli.plain_lines import PlainLines
from kfp_sdg.cli.progress import BlockAtWork, watcher_for
from kfp_sdg.engine import RunResult
from kfp_sdg.teacher import Usage
from screens import ASKED, FILTERED, Screen, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.cli.progress import Watcher

URL = "http://teacher:8000/v1"


@pytest.fixture(autouse=True)
def for_people() -> Iterator[None]:
    """Leave no other test with messages in JSON."""
    yield
    speak_json(False)


def tell(watcher: Watcher) -> None:
    """Tell the story of two blocks that overlap: the second one's rows are still being made."""
    watcher.block_started(1, 3, "gen_questions", "LLMBlock", 1000)
    watcher.block_progress(1, arrived=600, done=400, rejected=2, usage=Usage(400, 8000, 4000))
    watcher.block_started(2, 3, "judge_all_of_the_questions", "LLMBlock", None)
    watcher.block_progress(2, arrived=500, done=250, rejected=0, usage=Usage(250, 5000, 250))


class TestPlainLines:
    def test_lines_begin_and_end_a_block(self) -> None:
        screen = Screen(120)
        with PlainLines(screen.console) as lines:
            lines.block_started(1, 3, "gen_questions", "LLMBlock", 1000)
            lines.block_finished(1, ASKED)
        assert screen.text.splitlines() == [
            "[1/3] gen_questions (LLMBlock): 1,000 rows",
            "[1/3] gen_questions  1,000 → 2,900 rows, 40 duplicates, 250 from journal, "
            "60 rejected, 123 retries, 1187 tokens/s  1 min 15 s",
        ]

    def test_one_line_tells_how_far_all_blocks_at_work_are(self) -> None:
        screen = Screen(120)
        with PlainLines(screen.console, every=0.01) as lines:
            tell(lines)
            wait_for(lambda: "; [2/3]" in screen.text)
        line = next(line for line in screen.text.splitlines() if "; [2/3]" in line)
        first, second, _ = line.split("; ")
        assert first.startswith("[1/3] gen_questions: 400/1,000 rows, ")
        for part in ("rows/s", "2 rejected", "tokens/s", " left"):
            assert part in first
        assert second.startswith("[2/3] judge_all_of_the_questions: 250/500+ rows, ")
        assert " left" not in second

    def test_a_block_is_told_of_even_while_no_row_is_done(self) -> None:
        screen = Screen(120)
        with PlainLines(screen.console, every=0.01) as lines:
            lines.block_started(2, 3, "gen", "LLMBlock", 10)
            wait_for(lambda: "[2/3] gen: 0/10 rows; " in screen.text)

    def test_while_nothing_moves_lines_are_rarer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now)
        screen = Screen(120)
        lines = PlainLines(screen.console, every=5)
        tell(lines)
        told = []
        for second in range(100):
            before = len(screen.text)
            lines.tick()
            if len(screen.text) > before:
                told.append(second)
            if second == 70:
                lines.block_progress(2, arrived=0, done=1, rejected=0, usage=Usage())
            now += 1
        assert told == [5, 35, 65, 71]

    def test_a_block_whose_rows_are_not_known_yet_has_no_total(self) -> None:
        screen = Screen(120)
        with PlainLines(screen.console) as lines:
            lines.block_started(1, 1, "gen", "LLMBlock", None)
        assert screen.text == "[1/1] gen (LLMBlock)\n"

    def test_an_outage_is_told_at_once_then_now_and_then_and_when_it_is_over(self) -> None:
        screen = Screen(120)
        with PlainLines(screen.console, outage_every=3600) as lines:
            for left in range(552, 500, -1):
                lines.waiting(URL, "connection refused", left)
            lines.back(URL)
        assert screen.text.splitlines() == [
            f"teacher at {URL}: connection refused; waiting for it, 9:12 left",
            f"teacher at {URL}: back after 0 s",
        ]


class TestBars:
    @pytest.mark.parametrize("width", [80, 120, 200])
    def test_each_block_at_work_has_a_bar_in_a_line_of_its_own(
        self, width: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BlockAtWork, "seconds", 12.5)  # else a fast machine fills the line
        screen = Screen(width, terminal=True)
        bars = Bars(screen.console)
        tell(bars)
        screen.console.print(bars.picture())
        first, second = screen.text.splitlines()
        left, taken = ("19 s left", "12 s") if width >= 100 else ("0:19 left", "0:12")
        for part in ("[1/3]", "gen_questions", "400/1000", "32.0/s", "2 rejected", left):
            assert part in first
        for part in ("[2/3]", "judge_all_of", "250/500+", "20.0/s", taken):
            assert part in second
        assert "left" not in second
        assert ("tok/s" in first) is (width >= 100)
        filled = [line.split("╸")[0].count("━") for line in (first, second)]
        assert filled[0] > filled[1] > 0  # half of what 40 % made

    def test_a_finished_block_is_a_line_and_the_next_one_has_a_total(self) -> None:
        screen = Screen(120, terminal=True)
        with Bars(screen.console) as bars:
            tell(bars)
            bars.block_finished(1, ASKED)
            screen.console.print(bars.picture())
        assert "[1/3] gen_questions  1,000 → 2,900 rows" in screen.text
        assert "250/2900 rows" in screen.text

    def test_a_teacher_that_is_away_has_a_countdown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Screen(120, terminal=True)
        bars = Bars(screen.console)
        tell(bars)
        bars.waiting(URL, "connection refused", 552.2)
        screen.console.print(bars.picture())
        assert screen.text.splitlines()[-1] == (
            f"teacher at {URL}: connection refused; waiting for it, 9:12 left "
            "(Ctrl-C stops; what is done is kept)"
        )
        later = time.monotonic() + 60  # nobody has told anything since, and still it counts down
        monkeypatch.setattr(time, "monotonic", lambda: later)
        screen.console.print(bars.picture())
        assert "8:12 left" in screen.text.splitlines()[-2] + screen.text.splitlines()[-1]
        bars.back(URL)
        screen.console.print(bars.picture())
        assert f"teacher at {URL}: back after 1 min 00 s" in screen.text
        assert "[2/3]" in screen.text.splitlines()[-1]

    def test_more_blocks_than_lines_are_counted(self) -> None:
        screen = Screen(80, terminal=True)
        screen.console.height = 10
        bars = Bars(screen.console)
        for index in range(1, 31):
            bars.block_started(index, 30, f"block {index}", "LLMBlock", None)
        screen.console.print(bars.picture())
        assert screen.text.splitlines()[-1] == "and 22 more at work"
        assert len(screen.text.splitlines()) == 9


def test_a_stopped_run_is_kept_by_whoever_watches() -> None:
    partial = RunResult(pa.table({"a": [1]}))
    for kind in (PlainLines, Bars, JsonLines):
        with kind(Screen(80).console) as watcher:
            watcher.block_started(1, 1, "gen", "LLMBlock", 1)
            watcher.run_stopped(partial, "gen")
        assert watcher.stopped == (partial, "gen")


def test_how_long_a_run_took_is_known() -> None:
    watcher = PlainLines(Screen(80).console)
    assert watcher.seconds == 0.0
    with watcher:
        pass
    took = watcher.seconds
    assert took > 0.0
    assert watcher.seconds == took


@pytest.mark.parametrize(
    ("log_format", "terminal", "kind"),
    [
        (None, True, Bars),
        (None, False, PlainLines),
        ("rich", False, Bars),
        ("plain", True, PlainLines),
        ("json", True, JsonLines),
    ],
)
def test_the_view_fits_the_terminal_unless_one_is_asked_for(
    log_format: str | None, terminal: bool, kind: type
) -> None:
    watcher = watcher_for(log_format, Screen(80, terminal=terminal).console)
    assert type(watcher) is kind


def test_a_warning_is_shown_once_wherever_it_comes_from() -> None:
    shown: list[str] = []
    with logged_warnings(shown.append):
        for _ in range(2):
            logging.getLogger("kfp_sdg.blocks.x").warning("careful with %s", "this")
        logging.getLogger("kfp_sdg.engine").warning("other")
        logging.getLogger("kfp_sdg.engine").info("nothing")
    logging.getLogger("kfp_sdg.engine").warning("after")
    assert shown == ["careful with this", "other"]


def test_a_warning_that_was_not_heard_for_a_while_is_news_again() -> None:
    shown: list[str] = []
    with logged_warnings(shown.append, quiet=0.05):
        logging.getLogger("kfp_sdg.teacher").warning("the server is away")
        time.sleep(0.06)
        logging.getLogger("kfp_sdg.teacher").warning("the server is away")
    assert shown == ["the server is away"] * 2


def test_what_every_row_warns_of_does_not_become_news_by_lasting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    clock = iter(range(0, 500, 4))
    with logged_warnings(shown.append, quiet=10):
        monkeypatch.setattr(time, "monotonic", lambda: next(clock))
        for _ in range(100):
            logging.getLogger("kfp_sdg.blocks").warning("again")
        monkeypatch.undo()
    assert shown == ["again"]


def test_the_line_of_a_block_without_requests_says_nothing_of_them() -> None:
    screen = Screen(120)
    with PlainLines(screen.console) as lines:
        lines.block_started(2, 3, FILTERED.block, "FilterByValueBlock", 2900)
        lines.block_finished(2, FILTERED)
    assert screen.text.splitlines()[-1] == (
        "[2/3] a_block_with_quite_a_long_name  2,900 → 2,000 rows, 900 filtered  1.0 s"
    )
