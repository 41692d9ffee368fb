"""What a person sees of a run when it is done."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from kfp_sdg.cli.numbers import clock, compact, rate, rows_phrase, three_digits
from kfp_sdg.cli.summary import books_tables, one_line, show_summary
from kfp_sdg.engine import RunResult
from screens import ASKED, FILTERED, Screen


def summary(width: int, result: RunResult) -> str:
    screen = Screen(width)
    show_summary(screen.console, result, Path("out"))
    return screen.text


RESULT = RunResult(
    pa.table({"question": ["why\nnot? " * 100] * 7, "score": [1.5] * 7, "tags": [["a"]] * 7}),
    {"gen_questions": pa.table({"question": ["x"] * 60})},
    (ASKED, FILTERED),
)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_summary_has_every_count_and_fits_its_width(width: int) -> None:
    text = summary(width, RESULT)
    numbers = ("1,000", "2,000", "900", "60", "40", "1,234,567", "89,000", "1 min 15 s", "750")
    numbers += ("123", "250", "58", "0.523 / 1.93 / 12.1", "0.640")
    for number in numbers:
        assert number in text
    table = text[: text.index("row 1 of 7")]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= width
    for name in ("gen_questions", "a_block_with_qu"):  # a long name goes on in the next line
        assert name in table
    assert "gen_questions: 58 parse, 2 teacher" in text
    assert "retried  gen_questions: 120 × 429, 3 × timeout" in text


def test_in_a_wide_terminal_the_books_are_one_table() -> None:
    tables = books_tables(RESULT.history, Screen(200).console)
    assert [len(table.columns) for table in tables] == [16]


@pytest.mark.parametrize("width", range(60, 200, 7))
def test_however_wide_the_terminal_is_every_column_is_in_one_table(width: int) -> None:
    tables = books_tables(RESULT.history, Screen(width).console)
    titles = [str(column.header).split() for table in tables for column in table.columns[1:]]
    assert len(titles) == 15
    assert ["p50", "/", "p95", "/", "p99"] in [title[-5:] for title in titles]


def test_the_sum_of_times_that_overlap_is_the_time_of_the_run() -> None:
    screen = Screen(200)
    for table in books_tables(RESULT.history, screen.console, seconds=76.0):
        screen.console.print(table)
    assert "1 min 16 s" in screen.text.splitlines()[-2]


def test_a_block_that_asks_nobody_has_no_latency() -> None:
    screen = Screen(200)
    for table in books_tables((ASKED, FILTERED), screen.console):
        screen.console.print(table)
    line = next(line for line in screen.text.splitlines() if "quite_a_long_name" in line)
    assert line.split()[-2:] == ["-", "-"]


def test_columns_that_say_nothing_are_left_out() -> None:
    text = summary(120, RunResult(pa.table({"a": [1]}), {}, (FILTERED,)))
    head = next(line for line in text.splitlines() if "rows in" in line)
    assert head.split("  ")[0].strip() == "block"
    assert "filtered" in head
    for absent in ("requests", "retries", "rejected", "duplicates", "added"):
        assert absent not in head
    for absent in ("rejected", "retried", "tokens", "journal", "latency", "wait", "parse"):
        assert absent not in text


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
    digits = ["0.052", "0.520", "5.20", "52.0", "520"]
    assert [three_digits(n) for n in (0.052, 0.52, 5.2, 52, 520)] == digits
    assert [rows_phrase(n) for n in (0, 1, 1234)] == ["0 rows", "1 row", "1,234 rows"]
