"""The teacher behind an OpenAI-compatible server, whatever that server makes of ``n``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from kfp_sdg.teacher.choices import ChoicesPerRequest
from kfp_sdg.teacher.discovery import Discovery
from kfp_sdg.teacher.model import Answer, Request
from kfp_sdg.teacher.statistics import Usage
from kfp_sdg.teacher.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from kfp_sdg.teacher.sender import Sender

T = TypeVar("T")

# Answers are read whole, so a request for a stream could not be understood.
_NOT_PASSED_ON = frozenset({"extra_body", "stream", "stream_options"})


class OpenAITeacher:
    """A teacher that speaks the OpenAI API. All methods run on one event loop."""

    def __init__(self, sender: Sender) -> None:
        """Ask through this sender."""
        self._sender = sender
        self._discovery = Discovery(sender)
        self._per_request = ChoicesPerRequest()

    async def complete(self, request: Request) -> Answer:
        """Answer a text prompt.

        Raises:
            TeacherError: The request failed for good; ``fatal`` says whether others would too.
        """
        return await self._ask("/completions", request, {"prompt": request.prompt})

    async def chat(self, request: Request) -> Answer:
        """Answer chat messages; errors as for ``complete``."""
        return await self._ask("/chat/completions", request, {"messages": list(request.prompt)})

    async def models(self) -> tuple[str, ...]:
        """Return the model names that the server lists; empty where it has no such list.

        Raises:
            TeacherError: The server cannot be reached, wants a key, or sends no list of models.
        """
        return await self._discovery.models()

    async def has_completions(self) -> bool:
        """Tell whether the server has ``/v1/completions``, without paying for a generation.

        Raises:
            TeacherError: The server cannot be reached, or wants a key.
        """
        return await self._discovery.has_completions()

    async def close(self) -> None:
        """Give back connections; the teacher is not used after this."""
        await self._sender.transport.close()

    async def _ask(self, path: str, request: Request, prompt: Mapping[str, Any]) -> Answer:
        """Ask for all choices of a request."""
        extra = request.options.get("extra_body") or {}
        body = {**request.options, **extra, "model": request.model, **prompt}
        body = {name: value for name, value in body.items() if name not in _NOT_PASSED_ON}
        return await self._ask_range(path, body, request, range(request.n))

    async def _ask_range(
        self, path: str, body: Mapping[str, Any], request: Request, wanted: range
    ) -> Answer:
        """Ask for some of a request's choices, in as many parts as the server needs."""
        parts = self._per_request.parts(wanted)
        return await _merged(self._ask_part(path, body, request, part) for part in parts)

    async def _ask_part(
        self, path: str, body: Mapping[str, Any], request: Request, part: range
    ) -> Answer:
        answer = await self._sender.ask(
            path,
            _body_of(body, part),
            request=request,
            places=len(part),
            hand_back=lambda refusal: self._per_request.learn_from_refusal(refusal, len(part)),
        )
        if isinstance(answer, Reply):
            return await self._ask_range(path, body, request, part)
        given = len(answer.choices)
        if given >= len(part):
            return Answer(answer.choices[: len(part)], answer.usage)
        self._per_request.learn_from_answer(given, len(part))
        rest = await _merged(
            self._ask_part(path, body, request, range(k, k + 1)) for k in part[given:]
        )
        return _sum([answer, rest])


def _body_of(body: Mapping[str, Any], part: range) -> dict[str, Any]:
    """Return the body that asks for some of a request's choices.

    A seed is raised by the place of the part's first choice, so that parts are no copies of each
    other; vLLM does the same with the choices inside a request.
    """
    of_part = {name: value for name, value in body.items() if name != "n"}
    if len(part) > 1:
        of_part["n"] = len(part)
    if isinstance(of_part.get("seed"), int):
        of_part["seed"] += part.start
    return of_part


async def _merged(asking: Iterable[Coroutine[Any, Any, Answer]]) -> Answer:
    """Ask for all parts at once; the first failure cancels the others and is raised."""
    coroutines = list(asking)
    if len(coroutines) == 1:
        return await coroutines[0]
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        return _sum(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _sum(answers: Iterable[Answer]) -> Answer:
    answers = list(answers)
    choices = tuple(choice for answer in answers for choice in answer.choices)
    return Answer(choices, sum((answer.usage for answer in answers), Usage()))
