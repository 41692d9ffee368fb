"""A short Markdown page about a dataset, for the dashboard, which cannot show Parquet."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

    from kfp_sdg.storage import HistoryEntry

MAX_ROWS = 5
MAX_COLUMNS = 10
MAX_CELL = 100
"""Characters of a cell that are shown."""

_MARKUP = re.compile(r"([\\`*_\[\]~])")


def block_preview(
    entry: HistoryEntry, rows: pa.Table, rejected: pa.Table, given: Collection[str] = ()
) -> str:
    """Return the page about what a block did.

    Args:
        entry: The block's books.
        rows: Its output rows.
        rejected: The rows it rejected, with their reasons.
        given: The columns that its input had. What the block made is shown before them.
    """
    counts = {
        "rows in": entry.rows_in,
        "added": entry.added,
        "filtered": entry.filtered,
        "duplicates": entry.duplicates,
        "rejected": entry.rejected,
        "rows out": entry.rows_out,
    }
    parts = [f"# {escaped(entry.block)}", escaped(entry.type), counts_table(counts)]
    if entry.requests or entry.retries or entry.journal_hits:
        parts.append(_teacher_line(entry))
    parts.append(f"{entry.seconds:.1f} seconds.")
    made = [name for name in rows.column_names if name not in given]
    rest = [name for name in rows.column_names if name in given]
    parts += _rows_section(rows.select([*made, *rest]))
    if rejected.num_rows:
        parts += ["## Rejected rows", _rejected_table(rejected)]
    return "\n\n".join(parts) + "\n"


def dataset_preview(title: str, rows: pa.Table) -> str:
    """Return the page about rows that no block made.

    Args:
        title: The page's heading.
        rows: The rows.
    """
    counts = {"rows": rows.num_rows, "columns": rows.num_columns}
    return "\n\n".join([f"# {escaped(title)}", counts_table(counts), *_rows_section(rows)]) + "\n"


def _teacher_line(entry: HistoryEntry) -> str:
    """Return what the block asked of the teacher, and what that took."""
    model = f"model {escaped(entry.model)}, " if entry.model else ""
    text = (
        f"Teacher: {model}{entry.requests:,} requests, {entry.prompt_tokens:,} prompt tokens, "
        f"{entry.completion_tokens:,} completion tokens"
    )
    if entry.latency_p50:
        text += (
            f"; latency p50 {entry.latency_p50:.2f} s, p95 {entry.latency_p95:.2f} s, "
            f"p99 {entry.latency_p99:.2f} s"
        )
    if entry.retries:
        causes = ", ".join(f"{n:,} × {cause}" for cause, n in entry.retries_by_cause.items())
        word = "retry" if entry.retries == 1 else "retries"
        text += f"; {entry.retries:,} {word} ({escaped(causes)})"
    if entry.journal_hits:
        text += f"; {entry.journal_hits:,} requests answered from the journal"
    return text + "."


def _rows_section(rows: pa.Table) -> list[str]:
    """Return the heading and the table of the first rows."""
    if not rows.num_rows:
        return ["No rows.", f"Columns: {', '.join(map(escaped, rows.column_names)) or 'none'}."]
    names = rows.column_names[:MAX_COLUMNS]
    first = rows.select(names).slice(0, MAX_ROWS).to_pylist()
    parts = [
        f"## First {len(first)} of {rows.num_rows:,} rows",
        table_of(names, ([row[name] for name in names] for row in first)),
    ]
    if rows.num_columns > MAX_COLUMNS:
        others = ", ".join(map(escaped, rows.column_names[MAX_COLUMNS:]))
        parts.append(f"Further columns: {others}.")
    return parts


def _rejected_table(rejected: pa.Table) -> str:
    """Return the table of reasons, each with its number and its first example."""
    examples: dict[str, tuple[int, Any, Any]] = {}
    columns = (rejected[f"rejected_{name}"].to_pylist() for name in ("reason", "message", "answer"))
    for reason, message, answer in zip(*columns, strict=True):
        count, *first = examples.get(reason, (0, message, answer))
        examples[reason] = (count + 1, first[0], first[1])
    return table_of(
        ("reason", "rows", "for example", "answer"),
        ((reason, *example) for reason, example in sorted(examples.items())),
    )


def counts_table(counts: Mapping[str, int]) -> str:
    """Return a Markdown table of numbers under their names."""
    names = [name.replace("_", " ") for name in counts]
    return table_of(names, [[f"{count:,}" for count in counts.values()]])


def table_of(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table; its cells are shortened and cannot hold markup."""
    lines = [map(_cell, header), ["---"] * len(header), *(map(_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return escaped(text if len(text) <= MAX_CELL else text[:MAX_CELL] + "…")


def escaped(text: str) -> str:
    """Return text on one line without anything that Markdown or HTML would act on."""
    text = html.escape(" ↵ ".join(text.splitlines()), quote=False)
    return _MARKUP.sub(r"\\\1", text).replace("|", "&#124;")
