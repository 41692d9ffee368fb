"""What came of a run, for people: the books, some rows, and where everything is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from kfp_sdg.cli.numbers import clock, rows_phrase, three_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa
    from rich.console import Console

    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry

SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 12

_WIDE = 100
_NAME_WIDTH = 32
_SHORT_NAME_WIDTH = 18
"""Columns for names, where the console has ``_WIDE`` columns and where it has not."""

_ANY_WIDTH = 1000
"""Columns that any table has room in."""


def show_summary(
    console: Console, result: RunResult, folder: Path, *, seconds: float | None = None
) -> None:
    """Print a run's books, a few of its rows, and where everything is.

    Args:
        console: Where it goes.
        result: What came of the run.
        folder: The output folder.
        seconds: How long the run took, from its first block to its last. The blocks' own times
            overlap and cannot be added.
    """
    console.print()
    for table in books_tables(result.history, console, seconds=seconds):
        console.print(table)
    _show_rows(console, result.rows)
    _show_places(console, result, folder)


def books_tables(
    history: Sequence[HistoryEntry], console: Console, *, seconds: float | None = None
) -> list[Table]:
    """Return the table of a run: a line per block, and the sums.

    Columns that would be empty for every block (tokens where no model was asked) are left out.
    Where the console is too narrow for all, they are spread over several tables.

    Args:
        history: The blocks' books.
        console: Where the tables go.
        seconds: How long the run took, for the sum of the times.
    """
    wide = console.options.update(width=_ANY_WIDTH)
    name_width = _NAME_WIDTH if console.width >= _WIDE else _SHORT_NAME_WIDTH

    def drawn(columns: Sequence[_Column]) -> Table:
        return _table(history, columns, seconds, name_width)

    def fits(columns: Sequence[_Column]) -> bool:
        return console.measure(drawn(columns), options=wide).maximum <= console.width

    tables: list[list[_Column]] = [[]]
    for group in _GROUPS:
        columns = [c for c in group if c.always or any(c.number(entry) for entry in history)]
        if fits([*tables[-1], *columns]):
            tables[-1] += columns
            continue
        tables.append([])
        for column in columns:
            if tables[-1] and not fits([*tables[-1], column]):
                tables.append([])
            tables[-1].append(column)
    return [drawn(columns) for columns in tables if columns]


def _table(
    history: Sequence[HistoryEntry],
    columns: Sequence[_Column],
    seconds: float | None,
    name_width: int,
) -> Table:
    """Return a table with these columns."""
    footers = [column.footer(history, seconds) for column in columns]
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=any(footers)
    )
    lines = max((column.title.count("\n") for column in columns), default=0)
    table.add_column(
        "\n" * lines + "block", "total", overflow="fold", footer_style="bold", max_width=name_width
    )
    for column, footer in zip(columns, footers, strict=True):
        table.add_column(
            "\n" * (lines - column.title.count("\n")) + column.title,
            footer,
            justify="right",
            no_wrap=True,
            footer_style="bold",
        )
    for entry in history:
        table.add_row(Text(entry.block), *(column.cell(entry) for column in columns))
    return table


def reasons_lines(history: Sequence[HistoryEntry]) -> list[str]:
    """Return one line per block that rejected rows, with the count of each reason."""
    return [
        f"{entry.block}: " + ", ".join(f"{n:,} {r}" for r, n in entry.rejected_by_reason.items())
        for entry in history
        if entry.rejected
    ]


def retries_lines(history: Sequence[HistoryEntry]) -> list[str]:
    """Return one line per block that asked again, with the count of each cause."""
    return [
        f"{entry.block}: " + ", ".join(f"{n:,} × {c}" for c, n in entry.retries_by_cause.items())
        for entry in history
        if entry.retries
    ]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table of books.

    Attributes:
        title: Its head.
        number: Takes its number from a block's books.
        always: Whether it is shown where all its numbers are 0.
        summed: Whether the sum over the blocks means anything.
        text: Writes a number.
    """

    title: str
    number: Callable[[HistoryEntry], float]
    always: bool = False
    summed: bool = True
    text: Callable[[Any], str] = lambda number: f"{number:,}" if number else "-"

    def cell(self, entry: HistoryEntry) -> str:
        """Return what stands in a block's line."""
        return self.text(self.number(entry))

    def footer(self, history: Sequence[HistoryEntry], seconds: float | None) -> str:
        """Return what stands below all lines."""
        return self.text(sum(map(self.number, history))) if self.summed else ""


class _Time(_Column):
    """How long blocks took, and the run."""

    def footer(self, history: Sequence[HistoryEntry], seconds: float | None) -> str:
        """Return how long the run took."""
        return "" if seconds is None else self.text(seconds)


class _Latency(_Column):
    """Three quantiles of the time to an answer."""

    def cell(self, entry: HistoryEntry) -> str:
        """Return all three, in seconds."""
        if not entry.latency_p50:
            return "-"
        quantiles = (entry.latency_p50, entry.latency_p95, entry.latency_p99)
        return " / ".join(map(three_digits, quantiles))


def _count(number: int) -> str:
    """Return a count, zero too."""
    return f"{number:,}"


def _mean_wait(entry: HistoryEntry) -> float:
    """Return how many seconds a request waited for a place in flight on average."""
    return round(entry.wait_seconds / max(entry.requests, 1), 3)


def _seconds(number: float) -> str:
    """Return seconds that may be none."""
    return three_digits(number) if number else "-"


_GROUPS = (
    (
        _Column("rows in", lambda e: e.rows_in, always=True, summed=False, text=_count),
        _Column("added", lambda e: e.added),
        _Column("filtered", lambda e: e.filtered),
        _Column("rejected", lambda e: e.rejected),
        _Column("duplicates", lambda e: e.duplicates),
        _Column("rows out", lambda e: e.rows_out, always=True, summed=False, text=_count),
    ),
    (
        _Time("time", lambda e: e.seconds, always=True, text=clock),
        _Column("requests", lambda e: e.requests),
        _Column("retries", lambda e: e.retries),
        _Column("from\njournal", lambda e: e.journal_hits),
        _Column("tokens\nin", lambda e: e.prompt_tokens),
        _Column("tokens\nout", lambda e: e.completion_tokens),
    ),
    (
        _Column("parse\nfailures", lambda e: e.rejected_by_reason.get("parse", 0)),
        _Latency("latency in s\np50 / p95 / p99", lambda e: e.latency_p50, summed=False),
        _Column("mean wait for\na place in s", _mean_wait, summed=False, text=_seconds),
    ),
)


def _show_rows(console: Console, table: pa.Table) -> None:
    """Print the first rows, a line per cell, cut to the width there is."""
    if not table.num_rows:
        console.print(Text("No rows came out.", style="bold yellow"))
        return
    names = table.column_names[-_SAMPLE_COLUMNS:]  # what was generated stands last
    label = min(max(len(name) for name in names), 24)
    for number, row in enumerate(table.slice(0, SAMPLE_ROWS).select(names).to_pylist(), start=1):
        console.print(Text(f"row {number} of {table.num_rows:,}", style="bold"))
        for name in names:
            text = Text("  ")
            text.append(f"{name:<{label}}  ", style="cyan")
            text.append(one_line(row[name]))
            text.truncate(console.width, overflow="ellipsis")
            console.print(text, no_wrap=True)
    hidden = table.num_columns - len(names)
    if hidden:
        console.print(Text(f"  and {hidden} further columns", style="dim"))
    console.print()


def one_line(cell: object) -> str:
    """Return a cell as one line without control characters."""
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False, default=str)
    return " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())


def _show_places(console: Console, result: RunResult, folder: Path) -> None:
    """Print where the rows and the rejected rows are, and how to read them."""
    from kfp_sdg.engine.results import DATASET, REJECTED

    places = [("dataset", f"{folder / DATASET}  ({rows_phrase(result.rows.num_rows)})")]
    if result.rejected:
        count = sum(table.num_rows for table in result.rejected.values())
        places.append(("rejected", f"{folder / REJECTED}  ({rows_phrase(count)})"))
        places.extend(("", line) for line in reasons_lines(result.history))
    for number, line in enumerate(retries_lines(result.history)):
        places.append(("" if number else "retried", line))
    places.append(
        (
            "read it",
            f'datasets.load_dataset("parquet", data_dir="{folder / DATASET}", split="train")',
        )
    )
    for label, place in places:
        console.print(Text.assemble((f"{label:<9}", "bold"), place), soft_wrap=True)
