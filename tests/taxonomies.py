"""Taxonomies made in a test: good leaves that are broken in one place at a time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.taxonomy import read_taxonomy

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.errors import Problem
    from kfp_sdg.instructlab.model import Leaf

SKILL = "compositional_skills/writing/haiku"
KNOWLEDGE = "knowledge/science/comets"


def skill(examples: int = 5, *, grounded: tuple[int, ...] = (), version: int = 3) -> str:
    """Return a skill's text; line 4 is ``seed_examples``, an example has two or three lines.

    Args:
        examples: How many seed examples it has.
        grounded: The examples, counted from 1, that have a context.
        version: The version of the schema; 0 leaves it out.
    """
    lines = [f"version: {version}"] if version else ["# of the time before versions"]
    lines += ["created_by: ada", "task_description: Write a haiku.", "seed_examples:"]
    for k in range(1, examples + 1):
        lines += [f"  - question: Question {k}?", f"    answer: Answer {k}."]
        lines += [f"    context: Context {k}."] * (k in grounded)
    return "\n".join(lines) + "\n"


def knowledge(
    examples: int = 5, *, pairs: tuple[int, ...] = (3,), version: int = 3, pattern: str = "*.md"
) -> str:
    """Return a knowledge leaf's text; ``seed_examples`` is on line 10.

    Args:
        examples: How many seed examples it has.
        pairs: How many pairs each has; the last number counts for those after it.
        version: The version of the schema.
        pattern: The pattern of its documents, on line 9.
    """
    lines = [
        f"version: {version}",
        "created_by: ada",
        "domain: astronomy",
        "document_outline: What comets are.",
        "document:",
        "  repo: https://git.example/comets",
        "  commit: abcdef0",
        "  patterns:",
        f'    - "{pattern}"',
        "seed_examples:",
    ]
    for k in range(1, examples + 1):
        lines += [f"  - context: Context {k}.", "    questions_and_answers:"]
        for i in range(1, pairs[min(k, len(pairs)) - 1] + 1):
            lines += [f"      - question: Question {k}.{i}?", f"        answer: Answer {k}.{i}."]
    return "\n".join(lines) + "\n"


def write_leaf(taxonomy: Path, leaf: str, text: str | bytes, name: str = "qna.yaml") -> Path:
    """Write a leaf's file and return its path."""
    file = taxonomy / leaf / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def problems_of(taxonomy: Path, **options: str) -> tuple[Problem, ...]:
    """Return everything that is wrong in a taxonomy."""
    with pytest.raises(SpecError) as caught:
        read_taxonomy(taxonomy, **options)
    return caught.value.problems


def problems_in(taxonomy: Path, text: str | bytes, leaf: str = SKILL) -> tuple[Problem, ...]:
    """Return what is wrong in a leaf, the only one of a taxonomy."""
    write_leaf(taxonomy, leaf, text)
    return problems_of(taxonomy)


def only_problem_in(taxonomy: Path, text: str | bytes, leaf: str = SKILL) -> Problem:
    """Return the one thing that is wrong in a leaf."""
    problems = problems_in(taxonomy, text, leaf)
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def place(problem: Problem) -> tuple[int, int]:
    """Return a problem's line and column."""
    return problem.where.line, problem.where.column


def warnings_of(
    caplog: pytest.LogCaptureFixture, taxonomy: Path, **options: str
) -> tuple[tuple[Leaf, ...], list[str]]:
    """Return a taxonomy's leaves, and what was warned of while they were read."""
    with caplog.at_level(logging.WARNING, "kfp_sdg"):
        leaves = read_taxonomy(taxonomy, **options)
    return leaves, [record.getMessage() for record in caplog.records]
