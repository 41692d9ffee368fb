"""Leaves to generate from, without a taxonomy on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.instructlab.model import DocumentSource, Leaf, QuestionAnswer, SeedExample

if TYPE_CHECKING:
    from collections.abc import Sequence


def pairs(topic: str, count: int) -> tuple[QuestionAnswer, ...]:
    """Return questions about a topic with their answers."""
    return tuple(
        QuestionAnswer(f"What is part {number} of {topic}?", f"Part {number} is round.")
        for number in range(1, count + 1)
    )


def knowledge(name: str, *, examples: int = 2, pairs_each: int = 3) -> Leaf:
    """Return a knowledge leaf; its chunks are given to ``preprocess``."""
    seeds = tuple(
        SeedExample(pairs(f"{name} {number}", pairs_each), f"A text about {name} {number}.")
        for number in range(examples)
    )
    return Leaf(
        f"knowledge/{name}",
        f"knowledge/{name}/qna.yaml",
        3,
        seeds,
        domain="science",
        document_outline=f"All about {name}",
        documents=DocumentSource("repo", "main", ("*.md",)),
    )


def skill(name: str, contexts: Sequence[str | None]) -> Leaf:
    """Return a skill leaf with a seed example for each context; None is one without."""
    seeds = tuple(
        SeedExample(pairs(f"{name} {number}", 1), context)
        for number, context in enumerate(contexts)
    )
    path = f"compositional_skills/{name}"
    return Leaf(path, f"{path}/qna.yaml", 2, seeds, task_description=f"Tell me about {name}")
