"""What a person sees of a run while it goes on and when it is done."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from kfp_sdg.cli.notices import logged_warnings
from kfp_sdg.cli.numbers import clock, compact, rate, rows_phrase
from kfp_sdg.cli.progress import Bars, Pace, PlainLines, Watcher
from kfp_sdg.cli.summary import one_line, show_summary
from kfp_sdg.engine import RunResult
from kfp_sdg.storage import HistoryEntry
from kfp_sdg.teacher import Usage


def books(block: str, rows_in: int, rows_out: int, **more: Any) -> HistoryEntry:
    """Return a block's books; what is not given is 0."""
    counts = dict.fromkeys(("added", "filtered", "duplicates", "rejected", "requests"), 0) | {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "seconds": 1.0,
        "model": None,
    }
    reasons = {"rejected_by_reason": {}}
    return HistoryEntry(
        **({"block": block, "type": "LLMBlock", "rows_in": rows_in, "rows_out": rows_out})
        | counts
        | reasons
        | more
    )


ASKED = books(
    "gen_questions",
    1000,
    2900,
    added=2000,
    duplicates=40,
    rejected=60,
    rejected_by_reason={"parse": 58, "teacher": 2},
    requests=1000,
    prompt_tokens=1_234_567,
    completion_tokens=89_000,
    seconds=75.0,
)
FILTERED = books("a_block_with_quite_a_long_name", 2900, 2000, filtered=900)


class Screen:
    """A console that writes into memory."""

    def __init__(self, width: int, *, terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, width=width, force_terminal=terminal, color_system=None
        )

    @property
    def text(self) -> str:
        return self.file.getvalue()


def tell(watcher: Watcher) -> None:
    """Tell the story of one block."""
    watcher.block_started(1, 3, "gen_questions", "LLMBlock", 1000)
    watcher.block_progress(400, rejected=2, usage=Usage(400, 8000, 4000))


def test_plain_lines_begin_and_end_a_block() -> None:
    screen = Screen(120)
    with PlainLines(screen.console) as lines:
        tell(lines)
        lines.block_finished(ASKED)
    assert screen.text.splitlines() == [
        "[1/3] gen_questions (LLMBlock): 1,000 rows",
        "[1/3] gen_questions  1,000 → 2,900 rows, 40 duplicates, 60 rejected, 1187 tokens/s"
        "  1 min 15 s",
    ]


def test_plain_lines_tell_how_far_a_block_is_even_while_no_row_is_done() -> None:
    screen = Screen(120)
    with PlainLines(screen.console, every=0.01) as lines:
        lines.block_started(2, 3, "gen", "LLMBlock", 10)
        wait_for(lambda: "[2/3] gen: 0/10 rows, " in screen.text)
        lines.block_progress(5, rejected=1, usage=Usage(5, 50, 500))
        wait_for(lambda: "[2/3] gen: 5/10 rows, " in screen.text)
    line = screen.text.splitlines()[-1]
    for part in ("rows/s", "1 rejected", "tokens/s", " left"):
        assert part in line


def test_a_block_whose_rows_are_not_known_yet_has_no_total() -> None:
    screen = Screen(120)
    with PlainLines(screen.console) as lines:
        lines.block_started(1, 1, "gen", "LLMBlock", None)
    assert screen.text == "[1/1] gen (LLMBlock)\n"


@pytest.mark.parametrize("width", [80, 120])
def test_the_bar_shows_place_rows_pace_and_rejections_in_one_line(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "seconds", 12.5)  # else the pace of a fast machine fills the line
    screen = Screen(width, terminal=True)
    with Bars(screen.console) as bars:
        tell(bars)
        bars._progress.refresh()
        drawn = screen.text
        bars.block_finished(ASKED)
    for part in ("[1/3]", "gen_questions", "400/1000 rows", "2 rejected", "╸"):
        assert part in drawn
    assert "[1/3] gen_questions  1,000 → 2,900 rows" in screen.text


def test_a_stopped_run_is_kept_by_whoever_watches() -> None:
    partial = RunResult(pa.table({"a": [1]}))
    for watcher in (PlainLines(Screen(80).console), Bars(Screen(80).console)):
        with watcher:
            watcher.block_started(1, 1, "gen", "LLMBlock", 1)
            watcher.run_stopped(partial, "gen")
        assert watcher.stopped == (partial, "gen")


def summary(width: int, result: RunResult) -> str:
    screen = Screen(width)
    show_summary(screen.console, result, Path("out"))
    return screen.text


RESULT = RunResult(
    pa.table({"question": ["why\nnot? " * 100] * 7, "score": [1.5] * 7, "tags": [["a"]] * 7}),
    {"gen_questions": pa.table({"question": ["x"] * 60})},
    (ASKED, FILTERED),
)


@pytest.mark.parametrize("width", [80, 120, 160])
def test_the_summary_has_every_count_and_fits_its_width(width: int) -> None:
    text = summary(width, RESULT)
    numbers = ("1,000", "2,000", "900", "60", "40", "1,234,567", "89,000", "1 min 15 s")
    for number in numbers:
        assert number in text
    table = text[: text.index("row 1 of 7")]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= width
    for name in ("gen_questions", "a_block_with_qu"):  # a long name goes on in the next line
        assert name in table
    assert "gen_questions: 58 parse, 2 teacher" in text


def test_columns_that_say_nothing_are_left_out() -> None:
    text = summary(120, RunResult(pa.table({"a": [1]}), {}, (FILTERED,)))
    head = next(line for line in text.splitlines() if "rows in" in line)
    assert head.split("  ")[0].strip() == "block"
    assert "filtered" in head
    for absent in ("tokens", "requests", "rejected", "duplicates", "added"):
        assert absent not in head
    assert "rejected" not in text


def test_the_first_rows_are_shown_a_line_per_cell() -> None:
    lines = summary(80, RESULT).splitlines()
    start = lines.index("row 1 of 7")
    assert lines[start + 1].startswith("  question  why not? why not? ")
    assert lines[start + 1].endswith("…")
    assert len(lines[start + 1]) <= 80
    assert lines[start + 2] == "  score     1.5"
    assert lines[start + 3] == '  tags      ["a"]'
    assert "row 5 of 7" in lines
    assert "row 6 of 7" not in lines


def test_the_last_of_many_columns_are_shown_and_the_others_counted() -> None:
    table = pa.table({f"column {n}": ["x"] for n in range(20)})
    text = summary(80, RunResult(table, {}, (FILTERED,)))
    assert "column 19" in text
    assert "column 7 " not in text
    assert "and 8 further columns" in text


@pytest.mark.parametrize(
    ("cell", "line"),
    [(None, "null"), ("a\n\tb", "a b"), ("\x1b[31mred", "[31mred"), ({"x": "ü"}, '{"x": "ü"}')],
)
def test_a_cell_is_one_line_that_no_terminal_obeys(cell: object, line: str) -> None:
    assert one_line(cell) == line


def test_a_warning_is_shown_once_wherever_it_comes_from() -> None:
    shown: list[str] = []
    with logged_warnings(shown.append):
        for _ in range(2):
            logging.getLogger("kfp_sdg.blocks.x").warning("careful with %s", "this")
        logging.getLogger("kfp_sdg.engine").warning("other")
        logging.getLogger("kfp_sdg.engine").info("nothing")
    logging.getLogger("kfp_sdg.engine").warning("after")
    assert shown == ["careful with this", "other"]


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (9999, "9999"), (12_345, "12.3k"), (1_500_000, "1.5M")]
)
def test_large_numbers_are_short(number: int, text: str) -> None:
    assert compact(number) == text
    assert len(compact(number)) <= 5


def test_rates_and_times_have_as_many_digits_as_mean_something() -> None:
    assert [rate(n) for n in (0.254, 3.14, 123.4)] == ["0.25", "3.1", "123"]
    assert [clock(n) for n in (0.25, 12, 185, 7620)] == [
        "0.2 s",
        "12 s",
        "3 min 05 s",
        "2 h 07 min",
    ]
    assert [rows_phrase(n) for n in (0, 1, 1234)] == ["0 rows", "1 row", "1,234 rows"]


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    """Wait until something another thread does has happened."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    pytest.fail("it did not happen")
