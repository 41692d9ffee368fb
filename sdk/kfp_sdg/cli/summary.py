"""What came of a run, for people: the books, some rows, and where everything is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from kfp_sdg.cli.numbers import clock, rows_phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa
    from rich.console import Console

    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry

SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 12

_ANY_WIDTH = 1000
"""Columns that any table has room in."""


def show_summary(console: Console, result: RunResult, folder: Path) -> None:
    """Print a run's books, a few of its rows, and where everything is.

    Args:
        console: Where it goes.
        result: What came of the run.
        folder: The output folder.
    """
    console.print()
    for table in books_tables(result.history, console):
        console.print(table)
    _show_rows(console, result.rows)
    _show_places(console, result, folder)


def books_tables(history: Sequence[HistoryEntry], console: Console) -> list[Table]:
    """Return the table of a run: a line per block, and the sums.

    Columns that would be empty for every block (tokens where no model was asked) are left out.
    Where the console is too narrow, time and tokens have a table of their own.
    """
    columns = [c for c in _COLUMNS if c.always or any(c.number(entry) for entry in history)]
    table = _table(history, columns)
    wide = console.options.update(width=_ANY_WIDTH)
    if console.measure(table, options=wide).maximum <= console.width:
        return [table]
    parts = ([c for c in columns if not c.cost], [c for c in columns if c.cost])
    return [_table(history, part) for part in parts]


def _table(history: Sequence[HistoryEntry], columns: Sequence[_Column]) -> Table:
    """Return a table with these columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=True)
    table.add_column("block", "total", overflow="fold", footer_style="bold")
    for column in columns:
        total = sum(column.number(entry) for entry in history)
        table.add_column(
            column.title,
            column.text(total) if column.summed else "",
            justify="right",
            no_wrap=True,
            footer_style="bold",
        )
    for entry in history:
        cells = [column.text(column.number(entry)) for column in columns]
        table.add_row(Text(entry.block), *cells)
    return table


def reasons_lines(history: Sequence[HistoryEntry]) -> list[str]:
    """Return one line per block that rejected rows, with the count of each reason."""
    return [
        f"{entry.block}: " + ", ".join(f"{n:,} {r}" for r, n in entry.rejected_by_reason.items())
        for entry in history
        if entry.rejected
    ]


class _Column:
    """A column of the table of books.

    Attributes:
        title: Its head.
        number: Takes its number from a block's books.
        always: Whether it is shown where all its numbers are 0.
        summed: Whether the sum over the blocks means anything.
        cost: Whether it says what the block cost, in time or tokens.
        text: Writes a number.
    """

    def __init__(
        self,
        title: str,
        number: Callable[[HistoryEntry], float],
        *,
        always: bool = False,
        summed: bool = True,
        cost: bool = False,
        text: Callable[[Any], str] = lambda number: f"{number:,}" if number else "-",
    ) -> None:
        self.title = title
        self.number = number
        self.always = always
        self.summed = summed
        self.cost = cost
        self.text = text


def _count(number: int) -> str:
    """Return a count, zero too."""
    return f"{number:,}"


_COLUMNS = (
    _Column("rows in", lambda e: e.rows_in, always=True, summed=False, text=_count),
    _Column("added", lambda e: e.added),
    _Column("filtered", lambda e: e.filtered),
    _Column("rejected", lambda e: e.rejected),
    _Column("duplicates", lambda e: e.duplicates),
    _Column("rows out", lambda e: e.rows_out, always=True, summed=False, text=_count),
    _Column("time", lambda e: e.seconds, always=True, text=clock, cost=True),
    _Column("requests", lambda e: e.requests, cost=True),
    _Column("tokens in", lambda e: e.prompt_tokens, cost=True),
    _Column("tokens out", lambda e: e.completion_tokens, cost=True),
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
    places.append(
        (
            "read it",
            f'datasets.load_dataset("parquet", data_dir="{folder / DATASET}", split="train")',
        )
    )
    for label, place in places:
        console.print(Text.assemble((f"{label:<9}", "bold"), place), soft_wrap=True)
