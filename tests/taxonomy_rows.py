"""Seed rows of the sample pipeline, made from the qna.yaml files of a taxonomy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def seed_rows(taxonomy: Path) -> Iterator[dict[str, Any]]:
    """Yield one row per question of every qna.yaml, as a reviewer who likes them all would.

    Args:
        taxonomy: The taxonomy's folder.
    """
    for file in sorted(taxonomy.rglob("qna.yaml")):
        qna = yaml.safe_load(file.read_text(encoding="utf-8"))
        leaf = file.parent.relative_to(taxonomy)
        task = qna.get("task_description") or f"Questions about {' '.join(leaf.parts[1:])}"
        for example in qna["seed_examples"]:
            for pair in example.get("questions_and_answers", [example]):
                yield {
                    "task_description": task,
                    "seed_question": pair["question"],
                    "seed_response": pair["answer"],
                    "evaluation": "accepted with the taxonomy",
                    "score": 1.0,
                }
