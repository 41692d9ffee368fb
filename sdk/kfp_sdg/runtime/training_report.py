"""The page about what each leaf of a taxonomy gave, for the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.instructlab.outcome import DUPLICATES, FILTERED
from kfp_sdg.runtime.preview import counts_table, escaped, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def training_report(leaves: Sequence[LeafOutcome], numbers: Mapping[str, int]) -> str:
    """Return the page.

    Args:
        leaves: What each leaf gave.
        numbers: What all of them gave together, by name.
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
    return "\n\n".join(parts) + "\n"


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
