"""The teacher behind an OpenAI-compatible server, whatever that server makes of ``n``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from kfp_sdg.teacher.choices import ChoicesPerRequest
from kfp_sdg.teacher.discovery import Discovery
from kfp_sdg.teacher.model import Answer, Choice, Request
from kfp_sdg.teacher.statistics import Usage
from kfp_sdg.teacher.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping

    from kfp_sdg.teacher.journal import Journal
    from kfp_sdg.teacher.sender import Sender
    from kfp_sdg.teacher.served import ServedModel

T = TypeVar("T")

# Answers are read whole, so a request for a stream could not be understood.
_NOT_PASSED_ON = frozenset({"extra_body", "stream", "stream_options"})


class OpenAITeacher:
    """A teacher that speaks the OpenAI API. All methods run on one event loop.

    With a journal, what is kept there for a request's key is not asked for again, and what the
    server answers is kept before anybody else sees it. Failures are not kept.
    """

    def __init__(self, sender: Sender, journal: Journal | None = None) -> None:
        """Ask through this sender; requests with a key find and keep answers in this journal."""
        self._sender = sender
        self._journal = journal
        self._discovery = Discovery(sender)
        self._per_request = ChoicesPerRequest()

    async def complete(self, request: Request) -> Answer:
        """Answer a text prompt.

        Raises:
            TeacherError: The request failed for good; ``fatal`` says whether others would too.
            StorageError: The journal cannot be read or written.
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
        return tuple(model.name for model in await self.served())

    async def served(self) -> tuple[ServedModel, ...]:
        """Return the models that the server lists, with what it says about them.

        Raises:
            TeacherError: The server cannot be reached, wants a key, or sends no list of models.
        """
        return await self._discovery.served()

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
        """Return all choices of a request; those that are not kept are asked for."""
        kept = self._journal.find(request.key) if self._journal and request.key else None
        if not kept:
            return await self._ask_range(path, _body(request, prompt), request, range(request.n))
        choices = _by_place(kept, request.n)
        missing = list(_ranges(place for place in range(request.n) if place not in choices))
        if not missing:
            request.statistics.note_journal_hit()
            return Answer(tuple(choices[place] for place in range(request.n)), Usage())
        body = _body(request, prompt)
        answer = await _merged(self._ask_range(path, body, request, part) for part in missing)
        asked_for = (place for part in missing for place in part)
        choices.update(zip(asked_for, answer.choices, strict=True))
        return Answer(tuple(choices[place] for place in range(request.n)), answer.usage)

    async def _ask_range(
        self, path: str, body: Mapping[str, Any], request: Request, wanted: range
    ) -> Answer:
        """Ask for some of a request's choices, in as many parts as the server needs."""
        parts = self._per_request.parts(wanted)
        if len(parts) == 1:
            return await self._ask_part(path, body, request, parts[0])
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
        if len(answer.choices) > len(part):
            answer = Answer(answer.choices[: len(part)], answer.usage)
        if self._journal and request.key:
            self._journal.keep(request.key, part.start, answer)
        given = len(answer.choices)
        if given == len(part):
            return answer
        self._per_request.learn_from_answer(given, len(part))
        rest = await _merged(
            self._ask_part(path, body, request, range(k, k + 1)) for k in part[given:]
        )
        return _sum([answer, rest])


def _by_place(kept: Mapping[int, Answer], n: int) -> dict[int, Choice]:
    """Return the choices that are kept for a request of ``n`` by their places."""
    choices: dict[int, Choice] = {}
    for first, answer in kept.items():
        for place, choice in enumerate(answer.choices, start=first):
            if place < n:
                choices.setdefault(place, choice)
    return choices


def _ranges(places: Iterable[int]) -> Iterator[range]:
    """Join places, which go up, to ranges without gaps."""
    run = range(0)
    for place in places:
        if run and place == run.stop:
            run = range(run.start, place + 1)
            continue
        if run:
            yield run
        run = range(place, place + 1)
    if run:
        yield run


def _body(request: Request, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that all parts of a request have."""
    extra = request.options.get("extra_body") or {}
    body = {**request.options, **extra, "model": request.model, **prompt}
    for name in _NOT_PASSED_ON:
        body.pop(name, None)
    return body


def _body_of(body: Mapping[str, Any], part: range) -> dict[str, Any]:
    """Return the body that asks for some of a request's choices.

    A seed is raised by the place of the part's first choice, so that parts are no copies of each
    other; vLLM does the same with the choices inside a request.
    """
    of_part = {**body}
    of_part.pop("n", None)
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
