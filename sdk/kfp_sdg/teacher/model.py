"""What is asked of a teacher and what comes back: plain values, no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from kfp_sdg.teacher.statistics import RequestStatistics, Usage

if TYPE_CHECKING:
    from kfp_sdg.teacher.served import ServedModel

Message: TypeAlias = Mapping[str, Any]
"""One chat message: ``{"role": "user", "content": "…"}``."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the teacher.

    Attributes:
        prompt: A string goes to ``/v1/completions``; a tuple of messages to
            ``/v1/chat/completions``.
        model: The model's name as the server lists it.
        n: How many answers are wanted.
        options: Further fields of the request body (``max_tokens`` is always among them);
            ``extra_body`` is merged into the body.
        scope: Who asks: the block's name, inside an IterBlock with the iteration ("gen/2").
        index: The place of the question's row among the rows of its scope, from 0.
        key: Identifies the answers in the journal, see ``kfp_sdg.teacher.journal``; empty where
            nothing is to be kept or looked for.
        statistics: Who counts what the request takes: its tries, waits and answers.
    """

    prompt: str | tuple[Message, ...]
    model: str
    n: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""
    index: int = 0
    key: bytes = b""
    statistics: RequestStatistics = field(
        default_factory=RequestStatistics, compare=False, repr=False
    )

    @property
    def place(self) -> str:
        """Where in the run the question stands ("gen_questions/17"), for messages."""
        return f"{self.scope}/{self.index}" if self.scope else ""


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """A generated token with its log-probability and those of its best rivals.

    Attributes:
        token: The token's text.
        logprob: Natural logarithm of its probability.
        top: The most likely tokens at this place with their log-probabilities, best first.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Attributes:
        text: The generated text; None when the server sent none.
        finish_reason: "stop", "length", … as the server says.
        logprobs: One entry per generated token, where they were asked for.
    """

    text: str | None
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprobs, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """All answers to one request, in the order of the server's ``index``.

    Attributes:
        choices: At most ``Request.n``; fewer only when the server will not give more.
        usage: What they cost.
    """

    choices: tuple[Choice, ...]
    usage: Usage = field(default_factory=lambda: Usage(requests=1))


class Teacher(Protocol):
    """A model server that answers prompts. All methods run on the process's teacher loop."""

    async def complete(self, request: Request) -> Answer:
        """Answer a text prompt.

        Raises:
            TeacherError: The request failed for good; ``fatal`` says whether others would too.
        """

    async def chat(self, request: Request) -> Answer:
        """Answer chat messages; errors as for ``complete``."""

    async def models(self) -> tuple[str, ...]:
        """Return the model names that the server lists; empty where it lists none."""

    async def served(self) -> tuple[ServedModel, ...]:
        """Return the models that the server lists, with what it says about them."""

    async def has_completions(self) -> bool:
        """Tell whether the server has ``/v1/completions``, without paying for a generation."""

    async def close(self) -> None:
        """Give back connections; the teacher is not used after this."""
