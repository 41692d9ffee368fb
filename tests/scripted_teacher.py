"""A teacher in the test's own process: its answers are a function of the request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.blocks import Account, PipelineContext
from kfp_sdg.spec import ConfigFile, PipelineSpec
from kfp_sdg.teacher import Answer, Choice, Request, TeacherPool, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass
class ScriptedTeacher:
    """Answers with ``reply``, which gives texts, choices, or raises; keeps what it was asked.

    The later a request comes, the sooner it is answered, so that order is never by chance.
    """

    reply: Callable[[Request], Sequence[str | Choice | None]]
    listed: tuple[str, ...] = ("m",)
    completions: bool = True
    requests: list[Request] = field(default_factory=list)
    chats: list[Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def complete(self, request: Request) -> Answer:
        return await self._answer(request)

    async def chat(self, request: Request) -> Answer:
        self.chats.append(request)
        return await self._answer(request)

    async def models(self) -> tuple[str, ...]:
        return self.listed

    async def has_completions(self) -> bool:
        return self.completions

    async def close(self) -> None:
        pass

    async def _answer(self, request: Request) -> Answer:
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(max(0, 20 - len(self.requests))):
            await asyncio.sleep(0)
        self.at_once -= 1
        choices = tuple(
            c if isinstance(c, Choice) else Choice(c, "stop") for c in self.reply(request)
        )
        usage = Usage(1, 10, 5 * len(choices))
        request.statistics.note_answer(0.0, usage)
        return Answer(choices, usage)


def always(*texts: str | Choice | None) -> ScriptedTeacher:
    """Return a teacher that always says the same."""
    return ScriptedTeacher(lambda request: texts)


def context(teacher: ScriptedTeacher | None, **settings) -> PipelineContext:
    """Return a run that asks a teacher's model ``m`` in the bare format, unless told otherwise."""
    if teacher is not None:
        others = settings.pop("endpoints", {})
        settings["teachers"] = TeacherPool(teacher, others)
    return PipelineContext(**{"model_id": "m", "model_family": "blank", **settings})


def pipeline(**configs: dict | str) -> PipelineSpec:
    """Return a pipeline with prompt configs named ``<keyword>.yaml``; text is a question alone."""
    parts = dict.fromkeys(("system", "introduction", "principles", "examples"), "")
    files = {}
    for name, config in configs.items():
        given = {"generation": config} if isinstance(config, str) else config
        tags = {"start_tags": [""], "end_tags": [""]}
        files[f"{name}.yaml"] = ConfigFile(f"{name}.yaml", {**parts, **tags, **given})
    return PipelineSpec(blocks=(), files=files)


def assert_books_balance(rows_in: int, rows_out: int, account: Account) -> None:
    """Hold the rule of blocks/account.py."""
    assert rows_in + account.added == rows_out + account.filtered + len(account.rejections)
