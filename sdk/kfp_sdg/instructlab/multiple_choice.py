"""A teacher's multiple-choice question: the question, its four choices, and which one is right.

Only what can mean one thing alone is taken: a question with a wrong key is worse than none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LETTERS = "ABCD"

_AT_LINE_START = re.compile(r"^[ \t]*(?:[-*][ \t]+)?\**\(?([A-Z])[).:]\**(?:[ \t]+|$)", re.M)
_INSIDE_A_LINE = re.compile(r"(?:^|(?<=\s))\(?([A-Z])\)[ \t]+")
_ANSWER = re.compile(
    r"(?:(?:the\s+)?(?:(?:correct|right)\s+)?(?:answer|choice|option)(?:\s+is)?\s*:?\s*)?"
    r"\**\(?(?P<letter>[a-d])(?:(?P<mark>[).:]+)\**\s*|\s+|$)(?P<words>.*)",
    re.I | re.S,
)
_OTHER_LETTER = re.compile(r"\b[A-D]\)|\b(?:and|or)\s+[A-D]\b")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its choices.

    Attributes:
        text: The question alone.
        choices: Its four choices, without their letters.
    """

    text: str
    choices: tuple[str, str, str, str]


def parse_question(text: str) -> Question | None:
    """Return a question with its choices.

    Args:
        text: The question, below it or behind it four choices that begin with ``A)`` to ``D)``
            (``A.`` and ``(A)`` too), each on one line.

    Returns:
        The question; None where there are not exactly these four choices.
    """
    return _parse(text, _AT_LINE_START) or _parse(text, _INSIDE_A_LINE)


def parse_answer(answer: str, choices: Sequence[str]) -> int | None:
    """Return which choice an answer names.

    Args:
        answer: A letter, alone or with words behind it ("B", "b.", "(B) By bus"), or the words of
            a choice.
        choices: The four choices.

    Returns:
        The choice's number, counted from 0; None where the answer names none, or more than one.
    """
    answer = answer.strip()
    named = {number for number, choice in enumerate(choices) if _same(answer, choice)}
    found = _ANSWER.fullmatch(answer)
    if found:
        number = LETTERS.index(found["letter"].upper())
        words = found["words"]
        by_words = {n for n, choice in enumerate(choices) if words and _same(words, choice)}
        if by_words:
            named |= by_words | {number}
        elif found["mark"] or not words:
            named.add(number)
            if _OTHER_LETTER.search(words):
                return None
    return named.pop() if len(named) == 1 else None


def _parse(text: str, marker: re.Pattern[str]) -> Question | None:
    marks = list(marker.finditer(text))
    if len(marks) not in (4, 5):  # a fifth: a question that begins like "E. coli"
        return None
    marks = marks[-4:]
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    choices = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    question = text[: marks[0].start()].strip()
    if "".join(mark[1] for mark in marks) != LETTERS or not question or not all(choices):
        return None
    if any("\n" in choice for choice in choices):
        return None
    a, b, c, d = choices
    return Question(question, (a, b, c, d))


def _same(one: str, other: str) -> bool:
    """Tell whether two texts say the same but for case, white space and a full stop."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).removesuffix(".")
