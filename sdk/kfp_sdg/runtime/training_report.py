"""The page about what each leaf of a taxonomy gave, for the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.instructlab.outcome import DUPLICATES, FILTERED
from kfp_sdg.runtime.preview import MAX_CELL, MAX_ROWS, counts_table, escaped, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from kfp_sdg.instructlab.outcome import LeafOutcome

_COLUMNS = (
    "leaf",
    "kind",
    "seed rows",
    "generated",
    "rejected",
    "filtered",
    "duplicates",
    "in training data",
    "questions to test with",
)
_SAID = ("user", "assistant")


def training_report(
    leaves: Sequence[LeafOutcome], numbers: Mapping[str, int], mixes: Mapping[str, pa.Table]
) -> str:
    """Return the page.

    Args:
        leaves: What each leaf gave.
        numbers: What all of them gave together, by name.
        mixes: The rows of each mix, by the name of its file.
    """
    parts = ["# Training data", counts_table(numbers)]
    empty = [leaf for leaf in leaves if leaf.is_empty]
    if empty:
        parts += ["## Leaves that nothing came of", "\n".join(map(_reason, empty))]
    parts += ["## Leaves", table_of(_COLUMNS, map(_line, leaves))]
    lost = [
        (leaf.leaf, loss.kind, loss.where, loss.reason, loss.rows)
        for leaf in leaves
        for loss in leaf.losses
    ]
    if lost:
        parts += ["## Rows that did not come through"]
        parts += [table_of(("leaf", "kind", "at", "reason", "rows"), lost)]
    for file, rows in mixes.items():
        first = rows.slice(0, MAX_ROWS)
        parts += [f"## {escaped(file)}: first {first.num_rows} of {rows.num_rows:,} rows"]
        parts += [table_of(_SAID, map(_said, first["messages"].to_pylist()))]
    return "\n\n".join(parts) + "\n"


def _said(messages: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what the user and the assistant say in a row."""
    said = {message["role"]: message["content"] for message in messages}
    return [_ends(said.get(role) or "") for role in _SAID]


def _ends(text: str) -> str:
    """Return a long text without its middle: a document comes before the question about it."""
    half = MAX_CELL // 2
    return text if len(text) <= MAX_CELL else f"{text[: half - 3]} … {text[-half:]}"


def _reason(leaf: LeafOutcome) -> str:
    seeds = f"{leaf.seeds:,} seed row{'' if leaf.seeds == 1 else 's'}"
    return f"- {escaped(leaf.leaf)}: {seeds}; {escaped(leaf.why or 'no row was lost')}"


def _line(leaf: LeafOutcome) -> tuple[object, ...]:
    return (
        leaf.leaf,
        ", ".join(leaf.kinds),
        leaf.seeds,
        leaf.generated,
        leaf.rejected,
        _lost(leaf, FILTERED),
        _lost(leaf, DUPLICATES),
        leaf.used,
        leaf.questions,
    )


def _lost(leaf: LeafOutcome, reason: str) -> int:
    return sum(loss.rows for loss in leaf.losses if loss.reason == reason)
