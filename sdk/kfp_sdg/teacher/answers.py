"""From a server's JSON to an ``Answer``; every shape that real servers were seen to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.teacher.model import Answer, Choice, TokenLogprobs
from kfp_sdg.teacher.statistics import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class MalformedAnswer(ValueError):  # noqa: N818 - becomes a TeacherError once retries are used up
    """A body with status 200 that holds no answer."""


def read_answer(payload: Any) -> Answer:
    """Read the body of ``/completions`` or ``/chat/completions``.

    Args:
        payload: The body's JSON value.

    Returns:
        The choices in the order of their ``index``; those without one stay where they are.

    Raises:
        MalformedAnswer: There are no choices in it.
    """
    listed = payload.get("choices") if isinstance(payload, dict) else None
    if not isinstance(listed, list) or not listed:
        raise MalformedAnswer("the answer holds no choices")
    try:
        choices = tuple(_choice(raw) for raw in _in_order(listed))
    except (AttributeError, KeyError, TypeError) as error:
        raise MalformedAnswer(f"the answer's choices cannot be read ({error!r})") from error
    return Answer(choices, _usage(payload.get("usage")))


def _in_order(listed: list[Any]) -> list[Any]:
    indices = [
        raw["index"] if isinstance(raw.get("index"), int) else place
        for place, raw in enumerate(listed)
    ]
    return [listed[i] for i in sorted(range(len(listed)), key=indices.__getitem__)]


def _choice(raw: Mapping[str, Any]) -> Choice:
    message = raw.get("message")
    text = message.get("content") if isinstance(message, dict) else raw.get("text")
    reason = raw.get("finish_reason")
    return Choice(
        text=whole(text) if isinstance(text, str) else None,
        finish_reason=whole(reason) if isinstance(reason, str) else None,
        logprobs=_logprobs(raw.get("logprobs")),
    )


def _usage(raw: Any) -> Usage:
    counts = raw if isinstance(raw, dict) else {}
    return Usage(1, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def _count(raw: Any) -> int:
    """Return a number of tokens; an answer is not lost for the sake of one that is none."""
    return raw if isinstance(raw, int) else 0


def whole(text: str) -> str:
    """Return a text with its half characters replaced, which UTF-8 and so no file can hold.

    JSON can: a server that cuts between the two halves of an emoji sends the first as an escape.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _logprobs(raw: Any) -> tuple[TokenLogprobs, ...] | None:
    """Read log-probabilities in either shape.

    Chat answers have ``content: [{token, logprob, top_logprobs: [{token, logprob}]}]``, and so do
    llama.cpp's text completions; those of vLLM and OpenAI have the parallel lists ``tokens``,
    ``token_logprobs`` and ``top_logprobs: [{token: logprob}]``.
    """
    if not isinstance(raw, dict):
        return None
    if isinstance(raw.get("content"), list):
        return tuple(
            TokenLogprobs(
                whole(entry["token"]),
                entry["logprob"],
                _best_first((t["token"], t["logprob"]) for t in entry.get("top_logprobs") or ()),
            )
            for entry in raw["content"]
        )
    tokens, values = raw.get("tokens") or (), raw.get("token_logprobs") or ()
    tops = raw.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        TokenLogprobs(whole(token), value, _best_first((top or {}).items()))
        for token, value, top in zip(tokens, values, tops, strict=False)
        # The first token of an echoed prompt has no probability: nothing stands before it.
        if value is not None
    )


def _best_first(pairs: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    best_first = sorted(pairs, key=lambda pair: -pair[1])
    return tuple((whole(token), value) for token, value in best_first)
