"""A generated row becomes a question and its answer, or is rejected with a reason.

Pipelines give the two as columns ``question`` and ``response``. Those for small teachers give one
column ``output``, in which the question ends at the first question mark, that of any script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.instructlab.model import LeafKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUESTION_MARK = re.compile("[?？؟]")  # Chinese and Japanese; Arabic


@dataclass(frozen=True, slots=True)
class Pair:
    """What a row teaches.

    Attributes:
        row: The generated row.
        question: The question alone.
        answer: Its answer.
        context: The text that the question is about: a knowledge row's document, or what a grounded
            skill works on where the question does not hold it already; "" where there is none.
    """

    row: Mapping[str, Any]
    question: str
    answer: str
    context: str = ""

    @property
    def is_knowledge(self) -> bool:
        """Whether it teaches knowledge, else a skill."""
        return is_knowledge(self.row)

    @property
    def user(self) -> str:
        """What the user says: the context, where there is one, and the question."""
        return f"{self.context}\n\n{self.question}" if self.context else self.question


def is_knowledge(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is one of knowledge; all others are of skills."""
    return row.get("leaf_node_type") == LeafKind.KNOWLEDGE


def pair_of(row: Mapping[str, Any]) -> Pair | Rejection:
    """Return what a generated row teaches, or why nothing can be learnt from it."""
    if is_knowledge(row) and not text_of(row, "document"):
        return Rejection(row, "no_document", "the column 'document' has no text")
    question, answer, output = (text_of(row, name) for name in ("question", "response", "output"))
    whole = not question and bool(output)
    if whole:
        mark = _QUESTION_MARK.search(output)
        if not mark:
            message = "there is no question mark in the output to tell the question from its answer"
            return Rejection(row, "no_question_mark", message, output)
        before = output[: mark.start()].strip()
        question = f"{before}{mark[0]}" if before else ""
        answer = output[mark.end() :].strip()
    if not question:
        return Rejection(row, "no_question", _nothing("question", whole), output or None)
    if not answer:
        return Rejection(row, "no_answer", _nothing("response", whole), output or None)
    return Pair(row, question, answer, _context(row, question, whole))


def _context(row: Mapping[str, Any], question: str, whole: bool) -> str:
    """Return what the question is about, "" where it is part of the question or there is none."""
    if is_knowledge(row):
        return str(row["document"])
    context = text_of(row, "context")
    if not context and whole:  # asked about the seed's own text
        context = text_of(row, "seed_context")
    return "" if context in question else context


def _nothing(column: str, whole: bool) -> str:
    """Return what is missing, as a sentence."""
    if not whole:
        return f"the column {column!r} has no text"
    side = "before" if column == "question" else "after"
    return f"there is nothing {side} the first question mark of the output"


def text_of(row: Mapping[str, Any], column: str) -> str:
    """Return a cell's text without white space around it; "" where there is no text."""
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""
