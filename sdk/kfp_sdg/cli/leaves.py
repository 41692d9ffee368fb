"""What came of a taxonomy, for people: a line for each leaf, and where everything is."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from kfp_sdg.cli.numbers import clock, compact, rows_phrase
from kfp_sdg.instructlab.generate import EVALUATION
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.outcome import DUPLICATES, FILTERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from kfp_sdg.instructlab.generate import Part
    from kfp_sdg.instructlab.outcome import LeafOutcome
    from kfp_sdg.instructlab.workflow import WorkflowResult
    from kfp_sdg.storage import HistoryEntry

_WIDE = 100
"""Columns of a console in which leaves' names have room beside all numbers."""

_PARTS = {
    LeafKind.KNOWLEDGE: "Knowledge",
    LeafKind.FREEFORM: "Freeform skills",
    LeafKind.GROUNDED: "Grounded skills",
    EVALUATION: "Questions to test with",
}


def part_phrase(part: Part) -> str:
    """Return what is said before the rows of a part begin."""
    return f"{_PARTS[part.name]}: {rows_phrase(part.rows.num_rows)} to generate from."


def show_result(console: Console, result: WorkflowResult, *, seconds: float) -> None:
    """Print what each leaf gave, what it took, and where everything is.

    Args:
        console: Where it goes.
        result: What came of the taxonomy.
        seconds: How long the run took.
    """
    console.print()
    console.print(_table(result.outcomes, is_wide=console.width >= _WIDE))
    console.print(Text(_cost(_history(result), seconds)), soft_wrap=True)
    console.print()
    for label, place in _places(result):
        console.print(Text.assemble((f"{label:<10}", "bold"), place), soft_wrap=True)


def result_events(result: WorkflowResult) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what came of a taxonomy as events with their values, see ``kfp_sdg.cli.json_lines``.

    Args:
        result: What came of the taxonomy.
    """
    for outcome in result.outcomes:
        yield (
            "leaf_finished",
            {
                "leaf": outcome.leaf,
                "kinds": [kind.value for kind in outcome.kinds],
                "seeds": outcome.seeds,
                "generated": outcome.generated,
                "filtered": _lost(outcome, FILTERED),
                "duplicates": _lost(outcome, DUPLICATES),
                "rejected": outcome.rejected,
                "losses": [
                    {"where": loss.where, "reason": loss.reason, "rows": loss.rows}
                    for loss in outcome.losses
                ],
                "used": outcome.used,
                "questions": outcome.questions,
            },
        )
    for kind, mixed in result.mixes.items():
        yield "mix_written", {"kind": kind, "path": str(mixed.output), "rows": mixed.rows}


def _table(outcomes: Sequence[LeafOutcome], *, is_wide: bool) -> Table:
    """Return the table: a line for each leaf, and the sums.

    Args:
        outcomes: What each leaf gave.
        is_wide: Whether there is room to tell apart why rows were lost.
    """
    apart: list[tuple[str, list[int]]] = [
        ("\nfiltered", [_lost(outcome, FILTERED) for outcome in outcomes]),
        ("\nduplicates", [_lost(outcome, DUPLICATES) for outcome in outcomes]),
        ("\nrejected", [outcome.rejected for outcome in outcomes]),
    ]
    lost = [("\nlost", [sum(loss.rows for loss in outcome.losses) for outcome in outcomes])]
    columns: list[tuple[str, list[int]]] = [
        ("seed\nrows", [outcome.seeds for outcome in outcomes]),
        ("\ngenerated", [outcome.generated for outcome in outcomes]),
        *(apart if is_wide else lost),
        ("in training\ndata", [outcome.used or 0 for outcome in outcomes]),
        ("test\nquestions", [outcome.questions or 0 for outcome in outcomes]),
    ]
    always = {"seed\nrows", "\ngenerated", "in training\ndata"}
    always |= {"test\nquestions"} if any(o.questions is not None for o in outcomes) else set()
    columns = [(title, numbers) for title, numbers in columns if title in always or any(numbers)]
    several = len(outcomes) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=several)
    table.add_column("\nleaf", f"{len(outcomes)} leaves", overflow="fold", footer_style="bold")
    for title, numbers in columns:
        table.add_column(
            title, f"{sum(numbers):,}", justify="right", no_wrap=True, footer_style="bold"
        )
    for place, outcome in enumerate(outcomes):
        style = "yellow" if outcome.is_empty else ""
        cells = (f"{numbers[place]:,}" if numbers[place] else "-" for _, numbers in columns)
        table.add_row(Text(outcome.leaf), *cells, style=style)
    return table


def _lost(outcome: LeafOutcome, reason: str) -> int:
    return sum(loss.rows for loss in outcome.losses if loss.reason == reason)


def _history(result: WorkflowResult) -> list[HistoryEntry]:
    """Return the books of all blocks."""
    generated = result.generated
    results = [*generated.results.values()]
    results += [generated.evaluation] if generated.evaluation else []
    return [entry for part in results for entry in part.history]


def _rejected(run: Path) -> list[Path]:
    """Return where rejected rows are, each with its reason."""
    return sorted([*run.glob("*/rejected"), *run.glob("rejected_for_*")])


def _cost(history: Iterable[HistoryEntry], seconds: float) -> str:
    """Return what the run took, as a sentence."""
    entries = list(history)
    parts = [f"{sum(entry.requests for entry in entries):,} requests"]
    hits = sum(entry.journal_hits for entry in entries)
    if hits:
        parts.append(f"{hits:,} answers from the checkpoint")
    read = sum(entry.prompt_tokens for entry in entries)
    written = sum(entry.completion_tokens for entry in entries)
    parts.append(f"{compact(read)} tokens read, {compact(written)} written")
    return f"{', '.join(parts)}, in {clock(seconds)}."


def _places(result: WorkflowResult) -> Iterator[tuple[str, str]]:
    """Yield where things are, and what to do with them."""
    folder = result.folder
    train = {kind: f"{mixed.output}" for kind, mixed in result.mixes.items()}
    for number, (kind, mixed) in enumerate(result.mixes.items()):
        label = "" if number else "training"
        yield label, f"{train[kind]}  ({rows_phrase(mixed.rows)})"
    yield "seeds", str(folder.path("test", ".jsonl"))
    if any(outcome.questions for outcome in result.outcomes):
        questions = quote(str(folder.path("node_datasets")))
        yield "evaluate", f"lm_eval --include_path {questions} --tasks mmlu_pr"
    for number, place in enumerate(_rejected(folder.path("run"))):
        yield "" if number else "rejected", str(place)
    if train:
        yield "next", f"ilab model train {_training(train)}"


def _training(train: Mapping[str, str]) -> str:
    """Return the options with which InstructLab trains: in two phases if there is data for both."""
    if len(train) == 1:
        [data] = train.values()
        return f"--data-path {quote(data)}"
    return (
        f"--strategy lab-multiphase --phased-phase1-data {quote(train['knowledge'])} "
        f"--phased-phase2-data {quote(train['skills'])}"
    )
