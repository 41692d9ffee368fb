"""Leaves become rows: what a pipeline reads about a skill or a chunk of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.storage import GROUP_COLUMN, rows_from_objects
from kfp_sdg.storage.json_rows import rows_of_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kfp_sdg.instructlab.model import Leaf, SeedExample

FEWEST_PAIR_COLUMNS = 3
"""Prompts written for InstructLab ask for exactly three pairs, so there are always so many."""

LEAF = GROUP_COLUMN
KIND = "leaf_node_type"

_SKILL = ("task_description", "seed_question", "seed_response", KIND, LEAF)


def columns_of(kind: LeafKind, pairs: int = FEWEST_PAIR_COLUMNS) -> tuple[str, ...]:
    """Return the columns of a kind's rows.

    Args:
        kind: The kind.
        pairs: For knowledge, how many question-answer pairs the rows hold.
    """
    if kind is LeafKind.FREEFORM:
        return _SKILL
    if kind is LeafKind.GROUNDED:
        return (_SKILL[0], "seed_context", *_SKILL[1:])
    numbers = range(1, max(pairs, FEWEST_PAIR_COLUMNS) + 1)
    return (
        "document",
        "icl_document",
        "document_outline",
        "domain",
        KIND,
        LEAF,
        *(f"icl_{part}_{number}" for number in numbers for part in ("query", "response")),
    )


def leaf_rows(leaf: Leaf, chunks: Sequence[str] = ()) -> pa.Table:
    """Return the rows of a leaf.

    A skill has one row for each seed example, of the kind that the example is. Knowledge has one
    for each chunk with each seed example, the examples of a chunk side by side.

    Args:
        leaf: The leaf.
        chunks: The pieces of its documents; of no use for a skill.

    Returns:
        Columns of text, in the order of ``columns_of``; null where a row has nothing to say: the
        context of a freeform example beside grounded ones, pairs that an example does not have.
    """
    if LeafKind.KNOWLEDGE in leaf.kinds:
        most = max(len(example.pairs) for example in leaf.seed_examples)
        names = columns_of(LeafKind.KNOWLEDGE, most)
        rows = [
            _knowledge_row(leaf, chunk, example)
            for chunk in chunks
            for example in leaf.seed_examples
        ]
    else:
        kind = LeafKind.GROUNDED if LeafKind.GROUNDED in leaf.kinds else LeafKind.FREEFORM
        names = columns_of(kind)
        rows = [_skill_row(leaf, example) for example in leaf.seed_examples]
    return rows_of_schema(rows, pa.schema([(name, pa.string()) for name in names]))


def seed_rows(leaves: Iterable[Leaf], system_prompt: str = "") -> pa.Table:
    """Return the contributors' own questions and answers, for the file ``test_<time>.jsonl``.

    Args:
        leaves: The leaves.
        system_prompt: What the column ``system`` says; "" leaves the column out.

    Returns:
        One row for each pair: ``user`` (the question, below it the context that it is about),
        ``assistant`` and ``system``.
    """
    system = {"system": system_prompt} if system_prompt else {}
    return rows_from_objects(
        [
            {"user": user, "assistant": answer} | system
            for leaf in leaves
            for user, answer in _questions(leaf)
        ]
    )


def _questions(leaf: Leaf) -> Iterator[tuple[str, str]]:
    for example in leaf.seed_examples:
        for pair in example.pairs:
            yield "\n".join(filter(None, (pair.question, example.context))), pair.answer


def _skill_row(leaf: Leaf, example: SeedExample) -> Mapping[str, str | None]:
    (pair,) = example.pairs
    kind = LeafKind.FREEFORM if example.context is None else LeafKind.GROUNDED
    return {
        "task_description": leaf.task_description,
        "seed_context": example.context,
        "seed_question": pair.question,
        "seed_response": pair.answer,
        KIND: kind.value,
        LEAF: leaf.name,
    }


def _knowledge_row(leaf: Leaf, chunk: str, example: SeedExample) -> Mapping[str, str | None]:
    row: dict[str, str | None] = {
        "document": chunk,
        "icl_document": example.context or "",
        "document_outline": leaf.document_outline,
        "domain": leaf.domain,
        KIND: LeafKind.KNOWLEDGE.value,
        LEAF: leaf.name,
    }
    for number, pair in enumerate(example.pairs, start=1):
        row[f"icl_query_{number}"] = pair.question
        row[f"icl_response_{number}"] = pair.answer
    return row
