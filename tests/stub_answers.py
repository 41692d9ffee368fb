"""What the stub teacher says: text computed from the prompt alone, in the format it asks for.

The same prompt, seed and place among the choices give the same text in every run and process. Tags
are read out of the prompt: ``[Start of X]``…``[End of X]`` pairs, and chains such as
``[Question]``…``[Answer]``…``[End]``. A prompt without tags gets a question and an answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TAG = re.compile(r"(?<!\[)\[([A-Za-z][A-Za-z ]{0,40})\](?![\](])")
_PLACES = ("harbour", "mill", "orchard", "lighthouse", "library", "market", "bridge", "observatory")

# One is picked by hash, so that filters keep some rows and drop others.
DEFAULT_VALUES: Mapping[str, Sequence[str]] = {
    "score": ("1", "2"),
    "rating": ("1", "1", "1", "0"),
}
_VERDICTS = ("YES", "YES", "YES", "NO")
_VERDICT_TAGS = frozenset({"answer", "judgment", "judgement", "verdict"})


@dataclass(frozen=True)
class Ask:
    """One choice to be written.

    Attributes:
        prompt: The prompt, or the contents of all messages joined with newlines.
        body: The whole request.
        place: Which of the request's choices it is, from 0; repeats of the prompt count on where
            the stub was told so.
    """

    prompt: str
    body: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0

    @property
    def number(self) -> int:
        """A number drawn from prompt, seed and place."""
        text = f"{self.prompt}\0{self.body.get('seed')}\0{self.place}"
        return int.from_bytes(
            hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:6], "big"
        )


Answerer = Callable[[Ask], str | None]


def tagged_answer(values: Mapping[str, Sequence[str]] | None = None) -> Answerer:
    """Return an answerer for every prompt that names its tags.

    Args:
        values: What may stand between the tags of a name, by the name in lower case
            (``{"score": ["2"]}``); on top of ``DEFAULT_VALUES``.
    """
    known = {**DEFAULT_VALUES, **{k.lower(): v for k, v in (values or {}).items()}}

    def answer(ask: Ask) -> str:
        choice = _one_of_the_allowed(ask)
        if choice is not None:
            return choice
        sections = [*_start_end_sections(ask, known), *_chained_sections(ask, known)]
        return "\n".join(sections) or f"{_question(ask)} {_sentence(ask)}"

    return answer


def _one_of_the_allowed(ask: Ask) -> str | None:
    structured = ask.body.get("structured_outputs") or {}
    choices = structured.get("choice") or ask.body.get("guided_choice")
    return choices[ask.number % len(choices)] if choices else None


def _tags(prompt: str) -> list[str]:
    return [match.group(1).strip() for match in _TAG.finditer(prompt)]


def _start_end_sections(ask: Ask, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    tags = _tags(ask.prompt)
    names = dict.fromkeys(t[9:] for t in tags if t.startswith("Start of "))
    for name in names:
        yield f"[Start of {name}]\n{_content(name, ask, known)}\n[End of {name}]"


def _chained_sections(ask: Ask, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    tags = [t for t in _tags(ask.prompt) if not t.startswith(("Start of ", "End of "))]
    end = next((t for t in tags if t.lower() == "end"), None)
    if end is None:
        return
    names = list(dict.fromkeys(t for t in tags if t.lower() != "end"))
    for name in names:
        following = tags[tags.index(name) + 1 :]
        closed = name == names[-1] or (following and following[0].lower() == "end")
        yield f"[{name}]\n{_content(name, ask, known)}" + (f"\n[{end}]" if closed else "")


def _content(name: str, ask: Ask, known: Mapping[str, Sequence[str]]) -> str:
    key = name.lower()
    if key in known:
        return known[key][ask.number % len(known[key])]
    if key in _VERDICT_TAGS and re.search(r"\bYES\b", ask.prompt):
        return _VERDICTS[ask.number % len(_VERDICTS)]
    return _question(ask) if key.startswith("question") else _sentence(ask)


def _question(ask: Ask) -> str:
    return f"What is known about the {_place(ask)} of case {ask.number:012x}?"


def _sentence(ask: Ask) -> str:
    return f"The {_place(ask)} of case {ask.number:012x} is described in the text."


def _place(ask: Ask) -> str:
    return _PLACES[ask.number % len(_PLACES)]
