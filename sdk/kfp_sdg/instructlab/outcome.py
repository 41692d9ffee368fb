"""What each leaf gave, and where it gave nothing, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.errors import SdgError
from kfp_sdg.instructlab.model import LeafKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kfp_sdg.instructlab.generate import Generated
    from kfp_sdg.instructlab.leaf_books import LeafBooks
    from kfp_sdg.storage import HistoryEntry

FILTERED = "filtered"
DUPLICATES = "duplicates"

_MOST_LOSSES = 4
"""So many losses are named in one sentence, the largest ones."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows of a leaf that did not come through.

    Attributes:
        where: The block that they did not come through; "post-processing" for rows that no
            training row could be made of.
        reason: ``FILTERED``, ``DUPLICATES``, or the reason that they were rejected for.
        rows: How many.
        kind: The kind of the rows; None where it is not told apart.
    """

    where: str
    reason: str
    rows: int
    kind: LeafKind | None = None

    def __str__(self) -> str:
        """Return the loss as a phrase."""
        if self.reason in (FILTERED, DUPLICATES):
            reason = "duplicate" if self.reason == DUPLICATES and self.rows == 1 else self.reason
            return f"{self.rows:,} {reason} at {self.where}"
        return f"{self.rows:,} rejected at {self.where} ({self.reason})"


@dataclass(frozen=True, slots=True)
class LeafOutcome:
    """What one leaf gave.

    Attributes:
        leaf: The leaf's name.
        kinds: What its rows are for.
        seeds: The rows that it was generated from.
        generated: The rows that came through.
        losses: Those that did not, in the order of the blocks, those of post-processing last.
        used: Generated rows that training rows were made of; None before post-processing.
        questions: Questions to test with; None without an evaluation, and for a skill.
        question_losses: Rows of the evaluation that no question came of.
    """

    leaf: str
    kinds: tuple[LeafKind, ...]
    seeds: int
    generated: int
    losses: tuple[Loss, ...] = ()
    used: int | None = None
    questions: int | None = None
    question_losses: tuple[Loss, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing came of it."""
        return not (self.generated if self.used is None else self.used)

    @property
    def rejected(self) -> int:
        """Rows that could not be used."""
        return sum(x.rows for x in self.losses if x.reason not in (FILTERED, DUPLICATES))

    @property
    def why(self) -> str:
        """The largest losses, as a phrase; "" where there are none."""
        return _largest(self.losses)

    @property
    def why_no_questions(self) -> str | None:
        """Why there is nothing to test it with, as a phrase; None where there is something."""
        if self.questions != 0:
            return None
        return _largest(self.question_losses) or "none was made"

    def __str__(self) -> str:
        """Return the leaf with its largest losses."""
        seeds = f"{self.seeds:,} seed row{'' if self.seeds == 1 else 's'}"
        return f"{self.leaf}: {seeds}; {self.why or 'no row was lost, none was made'}"


def _largest(losses: Sequence[Loss]) -> str:
    """Return the largest losses as a phrase; "" where there are none."""
    largest = sorted(losses, key=lambda loss: -loss.rows)
    named = [str(loss) for loss in largest[:_MOST_LOSSES]]
    return ", ".join([*named, *(["…"] if len(largest) > _MOST_LOSSES else [])])


class EmptyLeafError(SdgError):
    """Nothing came of some leaves.

    Attributes:
        outcomes: What all leaves gave.
    """

    def __init__(self, outcomes: Sequence[LeafOutcome], setting: str = "allow_empty") -> None:
        """Say which leaves, why, and what to do.

        Args:
            outcomes: What all leaves gave.
            setting: What the user calls the setting that allows it.
        """
        self.outcomes = tuple(outcomes)
        super().__init__(f"{empty_leaves(outcomes)}\n{what_may_help(setting)}")


def losses(history: Iterable[HistoryEntry], leaf: str, kind: LeafKind) -> Iterator[Loss]:
    """Yield the losses of a leaf in a pipeline.

    Args:
        history: The books of the pipeline's blocks.
        leaf: The leaf's name.
        kind: The kind of the rows.
    """
    for entry in history:
        books = entry.groups.get(leaf)
        if books is None:
            continue
        counts = {FILTERED: books.filtered, DUPLICATES: books.duplicates}
        for reason, rows in (*counts.items(), *books.rejected_by_reason.items()):
            if rows:
                yield Loss(entry.block, reason, rows, kind)


def leaf_outcomes(
    generated: Generated,
    training: Iterable[LeafBooks] | None = None,
    evaluation: Iterable[LeafBooks] | None = None,
) -> tuple[LeafOutcome, ...]:
    """Return what each leaf gave.

    Args:
        generated: What came of the pipelines.
        training: What post-processing made of it; None before that.
        evaluation: The questions to test with; None without an evaluation.

    Returns:
        One outcome for each leaf that there were rows of, sorted by name.
    """
    used = None if training is None else {books.leaf: books for books in training}
    asked = {books.leaf: books for books in evaluation or ()}
    rows = generated.rows_of_leaves()
    return tuple(
        _outcome(generated, leaf, rows[leaf], used, asked.get(leaf)) for leaf in generated.leaves
    )


def empty_leaves(outcomes: Sequence[LeafOutcome], most: int | None = None) -> str:
    """Return a paragraph about the leaves that nothing came of; "" without any.

    Args:
        outcomes: What all leaves gave.
        most: So many are named; all without a number.
    """
    empty = [outcome for outcome in outcomes if outcome.is_empty]
    if not empty:
        return ""
    lines = [f"nothing came of {len(empty)} of {len(outcomes)} leaves:"]
    lines += [f"  {outcome}" for outcome in empty[:most]]
    if most is not None and len(empty) > most:
        lines.append(f"  … and {len(empty) - most:,} more")
    return "\n".join(lines)


def what_may_help(setting: str) -> str:
    """Return what to do about leaves that nothing came of.

    Args:
        setting: What the user calls the setting that allows them.
    """
    return (
        "Other seed examples, a larger scale factor or another teacher may help; "
        f"{setting} accepts it"
    )


def _outcome(
    generated: Generated,
    leaf: str,
    rows: int,
    used: dict[str, LeafBooks] | None,
    asked: LeafBooks | None,
) -> LeafOutcome:
    kinds = tuple(kind for kind, leaves in generated.seeds.items() if leaf in leaves)
    lost = [
        loss
        for kind in kinds
        if kind in generated.results
        for loss in losses(generated.results[kind].history, leaf, kind)
    ]
    books = (used or {}).get(leaf)
    if books is not None:
        lost += _rejected(books, "post-processing")
    return LeafOutcome(
        leaf=leaf,
        kinds=kinds,
        seeds=sum(generated.seeds[kind][leaf] for kind in kinds),
        generated=rows,
        losses=tuple(lost),
        used=None if used is None else (books.used if books else 0),
        questions=asked.used if asked else None,
        question_losses=tuple(_of_questions(generated, asked)) if asked else (),
    )


def _of_questions(generated: Generated, asked: LeafBooks) -> Iterator[Loss]:
    if generated.evaluation is not None:
        yield from losses(generated.evaluation.history, asked.leaf, LeafKind.KNOWLEDGE)
    yield from _rejected(asked, "reading the questions")


def _rejected(books: LeafBooks, where: str) -> list[Loss]:
    return [Loss(where, *reason) for reason in books.rejected_by_reason.items()]
