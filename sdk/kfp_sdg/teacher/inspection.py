"""What a server is like, found out with questions that cost nothing or a single token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kfp_sdg.teacher.faults import read_json
from kfp_sdg.teacher.model import Request
from kfp_sdg.teacher.served import read_listing
from kfp_sdg.teacher.transport import NoReply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.teacher.model import Teacher
    from kfp_sdg.teacher.sender import Sender

_VERSION = "/v1"
_PROMPT = "Hello"
_FORCED = "Kv7"
_GRAMMAR = f'root ::= "{_FORCED}"\n'
_ROOM = 16
"""Tokens for the forced text, however a tokenizer cuts it."""


async def other_base_url(sender: Sender) -> str | None:
    """Return the base URL at the same server that has the API, for a URL that has not.

    Tried are the path with its ``/v1`` once instead of twice, without it, and ``/v1`` alone.

    Args:
        sender: Through whom the server is asked.
    """
    for url in _candidates(sender.url):
        if url == sender.url:
            continue
        try:
            reply = await sender.transport.get(f"{url}/models")
        except NoReply:
            return None
        if reply.status == 200 and read_listing(read_json(reply.body)) is not None:
            return url
    return None


async def context_of_llama_server(sender: Sender) -> int | None:
    """Return the tokens of a slot that llama.cpp's ``/props`` tells; None from other servers.

    Args:
        sender: Through whom the server is asked.
    """
    try:
        reply = await sender.transport.get(f"{sender.url.removesuffix(_VERSION)}/props")
    except NoReply:
        return None
    payload = read_json(reply.body) if reply.status == 200 else None
    settings = payload.get("default_generation_settings") if isinstance(payload, dict) else None
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    return context if isinstance(context, int) and context > 0 else None


async def seconds_to_one_token(teacher: Teacher, model: str, *, chat: bool) -> float:
    """Let a model generate a single token and return how long that took.

    Args:
        teacher: Who is asked.
        model: The model's name.
        chat: Through which endpoint: chat or completions.

    Raises:
        TeacherError: There was no answer.
    """
    began = time.monotonic()
    await _ask(teacher, model, chat=chat, options={"max_tokens": 1})
    return time.monotonic() - began


async def obeys_grammars(teacher: Teacher, model: str, *, chat: bool) -> bool:
    """Tell whether a grammar that allows one text alone makes a model write that text.

    Args:
        teacher: Who is asked.
        model: The model's name.
        chat: Through which endpoint: chat or completions.

    Raises:
        TeacherError: There was no answer, or the server refuses the grammar.
    """
    extra = {"grammar": _GRAMMAR, "structured_outputs": {"grammar": _GRAMMAR}}
    options = {"max_tokens": _ROOM, "extra_body": extra}
    return (await _ask(teacher, model, chat=chat, options=options)).strip() == _FORCED


async def _ask(teacher: Teacher, model: str, *, chat: bool, options: dict[str, object]) -> str:
    prompt = ({"role": "user", "content": _PROMPT},) if chat else _PROMPT
    request = Request(prompt, model, options={"temperature": 0, **options}, scope="preflight")
    answer = await (teacher.chat(request) if chat else teacher.complete(request))
    return (answer.choices[0].text or "") if answer.choices else ""


def _candidates(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path
    while path.endswith(_VERSION):
        path = path.removesuffix(_VERSION)
        yield f"{origin}{path}{_VERSION}"
        yield f"{origin}{path}"
    yield f"{origin}{_VERSION}"
