"""The teachers of one process: which server answers which model, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import operator
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from kfp_sdg.teacher.gathering import gathering_loop
from kfp_sdg.teacher.inquiry import Inquiry
from kfp_sdg.teacher.server_metrics import PrefixCache, prefix_cache

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from types import TracebackType

    from kfp_sdg.teacher.journal import Journal
    from kfp_sdg.teacher.model import Teacher
    from kfp_sdg.teacher.sender import Sender

T = TypeVar("T")

_WITHOUT_LIMIT = 256
"""Answers in the making at once with teachers that set no limit themselves."""


class TeacherPool:
    """Every teacher of a run, and the one event loop that all of their requests share.

    Blocks are synchronous; their requests run concurrently on the pool's loop, which lives in a
    thread of its own, so that any caller may use it, whether or not it has a loop itself.
    """

    def __init__(
        self,
        default: Teacher,
        endpoints: Mapping[str, Teacher] | None = None,
        *,
        journal: Journal | None = None,
        senders: Mapping[Teacher, Sender] | None = None,
    ) -> None:
        """Start the loop.

        Args:
            default: The teacher for every model without an endpoint of its own.
            endpoints: Further teachers by the model id they answer.
            journal: Where the teachers keep and find answers; None where they do not.
            senders: Through whom the teachers ask, where they have a server.
        """
        self.journal = journal
        self._default = default
        self._endpoints = dict(endpoints or {})
        self._senders = dict(senders or {})
        self._limiters = [sender.limiter for sender in self._senders.values()]
        self._loop = gathering_loop(self.slack)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="kfp-sdg-teacher", daemon=True
        )
        self._thread.start()

    def has_endpoint(self, model_id: str | None) -> bool:
        """Tell whether the run names a server for this very model."""
        return model_id in self._endpoints

    def teacher(self, model_id: str | None) -> Teacher:
        """Return the teacher that answers for a model."""
        return self._endpoints.get(model_id or "", self._default)

    def sender(self, model_id: str | None) -> Sender | None:
        """Return through whom a model's teacher asks; None where it has no server."""
        return self._senders.get(self.teacher(model_id))

    def inquiry(self) -> Inquiry[Any]:
        """Return a new inquiry: many requests under way at once, for a caller without a loop."""
        return Inquiry(self, self._loop)

    def concurrency(self, model_id: str | None) -> int:
        """Return how many answers for a model may be in the making at once just now."""
        sender = self.sender(model_id) if self._senders else None
        return sender.limiter.limit if sender else _WITHOUT_LIMIT

    def slack(self) -> float:
        """Return for how many seconds no server needs anything from here; see ``Limiter``."""
        return min((limiter.slack for limiter in self._limiters), default=0.0)

    def prefix_cache(self) -> PrefixCache | None:
        """Return what the servers' prefix caches were asked for and had, all servers together.

        None where no server tells; see ``kfp_sdg.teacher.server_metrics``.
        """
        return self.run(self._prefix_cache())

    async def _prefix_cache(self) -> PrefixCache | None:
        senders = self._senders.values()
        told = await asyncio.gather(*(prefix_cache(s.transport, s.url) for s in senders))
        counters = [counter for counter in told if counter is not None]
        return functools.reduce(operator.add, counters) if counters else None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the pool's loop and wait for it.

        An interrupt of the caller (Ctrl-C) cancels the coroutine before it is passed on.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def drain(self, seconds: float) -> None:
        """End in order: send nothing more, wait for what is in flight, cancel who waits to ask.

        Args:
            seconds: The longest time to wait; what is still in flight then is cancelled too.
        """
        self.run(self._drained(seconds))

    async def _drained(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(sender.drain() for sender in self._senders.values()))
        await _end_other_tasks()

    def close(self) -> None:
        """Close every teacher and stop the loop; calling it again does nothing."""
        if self._loop.is_closed():
            return
        self.run(_end_other_tasks())
        for teacher in {id(t): t for t in (self._default, *self._endpoints.values())}.values():
            self.run(teacher.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> TeacherPool:
        """Return the pool itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the pool."""
        self.close()


async def _end_other_tasks() -> None:
    """Let what an interrupt cancelled come to its end; asyncio complains of tasks left behind."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
