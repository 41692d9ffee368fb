"""A teacher that is asked through the client in a ``PipelineContext``, whatever client that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.generation import GenKwargs
from kfp_sdg.teacher.transport import NoReply, Reply, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.teacher import TeacherPool
    from kfp_sdg.teacher.journal import Journal

_FIELDS = frozenset(GenKwargs.__annotations__) | {"prompt", "messages"}
"""What a client's calls name themselves; further fields of a request are its ``extra_body``."""

_NO_SERVER = "http://client/v1"
"""Named in messages where a client does not say where its server is."""


def connect_to(client: Any, journal: Journal | None = None) -> TeacherPool:
    """Return a teacher that is asked through a client; nothing is sent yet.

    Args:
        client: An ``openai.OpenAI``, or anything with its ``completions.create`` and
            ``chat.completions.create``.
        journal: Where finished answers are kept and looked for.
    """
    import openai

    from kfp_sdg.teacher import TeacherOptions, connect_client
    from kfp_sdg.teacher.connection import connect_through

    # Not isinstance: a mock that stands for a client passes for one, and has none of its inside.
    if issubclass(type(client), openai.OpenAI | openai.AsyncOpenAI):
        return connect_client(client, journal=journal)
    url = str(getattr(client, "base_url", _NO_SERVER))
    options = TeacherOptions(url if url.startswith("http") else _NO_SERVER)
    return connect_through(CallingTransport(client), options, journal=journal)


class CallingTransport:
    """Asks an object that has the calls of an ``openai.OpenAI``, and nothing else of it."""

    def __init__(self, client: Any) -> None:
        """Use an object; it is called from threads."""
        self._client = client

    async def get(self, path: str) -> Reply:
        """Say which models and endpoints there are."""
        if path == "/models":
            return await _in_thread(self._models)
        is_there = path == "/completions" and hasattr(self._client, "completions")
        return Reply(405 if is_there else 404, b"")  # 405: it is there, for POST

    async def post(self, path: str, body: object) -> Reply:
        """Call the client."""
        if not isinstance(body, dict):
            return Reply(422, b"")
        is_chat = path == "/chat/completions"
        named = {name: value for name, value in body.items() if name in _FIELDS}
        if further := {name: value for name, value in body.items() if name not in _FIELDS}:
            named["extra_body"] = further

        def call() -> Reply:
            create = (self._client.chat if is_chat else self._client).completions.create
            return _reply(create(**named), is_chat=is_chat)

        return await _in_thread(call)

    async def close(self) -> None:
        """Do nothing: the client is its owner's."""

    def _models(self) -> Reply:
        try:
            names = [model.id for model in self._client.models.list()]
        except (AttributeError, TypeError):  # it lists none
            return Reply(404, b"")
        return _json([{"id": name} for name in names if isinstance(name, str)], "data")


async def _in_thread(call: Callable[[], Reply]) -> Reply:
    """Return what a call says, also where it says it with an exception."""
    import asyncio

    try:
        return await asyncio.to_thread(call)
    except Exception as error:
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            return _json({"message": str(error)}, "error", status)
        trouble = Trouble.CLIENT if _is_a_mistake(error) else Trouble.BROKEN
        raise NoReply(trouble, f"{type(error).__name__}: {error}") from error


def _is_a_mistake(error: Exception) -> bool:
    """Tell whether asking again is of no use: Python's own errors, but those of connections."""
    return type(error).__module__ == "builtins" and not isinstance(error, OSError)


def _reply(answer: Any, *, is_chat: bool) -> Reply:
    """Return a client's answer as the server said it."""
    choices = []
    for place, choice in enumerate(answer.choices):
        text = choice.message.content if is_chat else choice.text
        reason = getattr(choice, "finish_reason", None)
        told = {"message": {"content": text}} if is_chat else {"text": text}
        told |= {"index": place, "finish_reason": reason if isinstance(reason, str) else None}
        choices.append(told)
    usage = {
        name: count
        for name in ("prompt_tokens", "completion_tokens")
        if isinstance(count := getattr(getattr(answer, "usage", None), name, None), int)
    }
    return Reply(200, json.dumps({"choices": choices, "usage": usage}).encode())


def _json(value: Any, name: str, status: int = 200) -> Reply:
    return Reply(status, json.dumps({name: value}).encode())
