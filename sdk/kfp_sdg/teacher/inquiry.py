"""Many requests under way at once, sent and collected in batches by a thread that has no loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.teacher.model import Answer, Request
    from kfp_sdg.teacher.pool import TeacherPool

Tag = TypeVar("Tag")
Result: TypeAlias = "Answer | Exception"

GATHERED = 32
"""Answers that are collected together while others wait for a place at the teacher, so that the
work of collecting them is done for many at a time."""

LONGEST_PAUSE = 0.2
"""Seconds that an answer waits for others at most."""

SHORTEST_PAUSE = 0.002
"""The same while the teacher has free places, which the next requests should fill at once."""

SHARE_OF_SLACK = 4
"""The same while the teacher has no more waiting in line than itself sees: this part of the seconds
that it can go on with that."""

SECONDS_TO_CANCEL = 2.0
"""How long to wait for cancelled requests to end, so that nobody counts any more."""


class Inquiry(Generic[Tag]):
    """The requests that one caller has under way at the teachers of a pool.

    All methods are for the caller's thread; the pool's loop runs in another one. Waking a thread
    costs about as much as parsing an answer, so requests cross over in batches, and answers too.
    """

    def __init__(self, pool: TeacherPool, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with nothing under way.

        Args:
            pool: Who answers.
            loop: The pool's loop.
        """
        self._pool = pool
        self._loop = loop
        self._outstanding: Counter[str] = Counter()
        self._answered: deque[tuple[Tag, Request, Result]] = deque()
        self._bell = threading.Event()
        # Of the loop's thread:
        self._tasks: set[asyncio.Task[None]] = set()
        self._choices_under_way = 0
        self._alarm: asyncio.TimerHandle | None = None
        # How many choices keep the teacher busy; written here, read there.
        self._enough = 0

    def outstanding(self, model: str) -> int:
        """Return how many choices are asked of a model and not collected yet."""
        return self._outstanding[model]

    def concurrency(self, model: str) -> int:
        """Return how many choices its server works on at once, as far as that is known."""
        return self._pool.concurrency(model)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is outstanding."""
        return not self._outstanding.total()

    def send(self, asked: Sequence[tuple[Tag, Request]]) -> None:
        """Send requests, in this order.

        Args:
            asked: The requests, each with what to call it by in ``collect``.
        """
        if not asked:
            return
        for _, request in asked:
            self._outstanding[request.model] += request.n
        self._enough = max(self.concurrency(model) for model in self._outstanding)
        self._loop.call_soon_threadsafe(self._start, asked)

    def collect(self, *, wait: bool) -> list[tuple[Tag, Result]]:
        """Return the requests that were answered, or failed, since the last call.

        Args:
            wait: Wait for the next answers if there are none; unless nothing is outstanding.
        """
        if wait and not self.is_idle:
            self._bell.wait()
        self._bell.clear()
        results = []
        while self._answered:
            tag, request, result = self._answered.popleft()
            self._outstanding[request.model] -= request.n
            results.append((tag, result))
        return results

    def cancel(self) -> None:
        """Give up what is outstanding; nothing more can be collected."""
        if not self.is_idle and not self._loop.is_closed():
            ending = asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop)
            with contextlib.suppress(TimeoutError):  # what is stuck, the pool ends when it closes
                ending.result(SECONDS_TO_CANCEL)
        self._outstanding.clear()

    def _start(self, asked: Sequence[tuple[Tag, Request]]) -> None:
        for tag, request in asked:
            self._choices_under_way += request.n
            task = self._loop.create_task(self._ask(tag, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, tag: Tag, request: Request) -> None:
        result: Result
        try:
            teacher = self._pool.teacher(request.model)
            if isinstance(request.prompt, str):
                result = await teacher.complete(request)
            else:
                result = await teacher.chat(request)
        except Exception as error:  # whatever it is, it belongs to the caller
            result = error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            result = RuntimeError("the request was cancelled by nobody who may")
        self._choices_under_way -= request.n
        self._answered.append((tag, request, result))
        if not self._choices_under_way:
            self._ring()
        elif self._choices_under_way <= self._enough:
            pause = self._pool.slack() / SHARE_OF_SLACK
            self._ring_in(min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE))
        elif len(self._answered) >= GATHERED:
            self._ring()
        else:
            self._ring_in(LONGEST_PAUSE)

    def _ring_in(self, seconds: float) -> None:
        """Wake the caller soon, unless that is to happen sooner already."""
        at = self._loop.time() + seconds
        if self._alarm is not None:
            if self._alarm.when() <= at:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._bell.set()

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
