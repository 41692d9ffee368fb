"""One request to one server, asked until it is answered, refused for good or given up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher.answers import MalformedAnswer, read_answer
from kfp_sdg.teacher.faults import (
    Fault,
    fault_of,
    fault_of_malformed,
    fault_of_silence,
    read_json,
    server_message,
)
from kfp_sdg.teacher.limits import Limiter, Outcome
from kfp_sdg.teacher.model import Answer
from kfp_sdg.teacher.outage import Outage, OutageWatcher, Patience
from kfp_sdg.teacher.transport import NoReply, Reply, Transport, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfp_sdg.teacher.credentials import Key
    from kfp_sdg.teacher.limits import Ticket
    from kfp_sdg.teacher.model import Request
    from kfp_sdg.teacher.retry import RetryPolicy

NO_SUCH_ENDPOINT = frozenset({404, 405, 501})
"""What servers say to a path, or a method on it, that they do not serve."""

_RETRIES_OF_FREE_QUESTIONS = 4
"""A wrong URL must show within seconds, before anything was paid for."""

_TIMEOUT_OF_FREE_QUESTIONS = 30.0
_TIMEOUT_OF_PROBES = 5.0
"""Seconds. A question that costs no generation is answered at once or not at all; a machine that is
gone swallows packets, and its successor is noticed only with the next question."""


@dataclass(slots=True)
class _Tries:
    """How often one request was asked, and with what success.

    Attributes:
        attempts: How often it was asked.
        spared: How many of these do not count against it.
        timeouts: How many of these had no answer in time.
        failed_first: When the first of these failed, or the first after an outage.
        failed_last: When the last of these failed.
        others: How often the server had answered anybody when it failed last.
    """

    attempts: int = 0
    spared: int = 0
    timeouts: int = 0
    failed_first: float | None = None
    failed_last: float | None = None
    others: int = 0

    def note(self, fault: Fault, answers: int) -> None:
        """Take note of a failed attempt.

        Where a gateway's error met everybody since the last attempt, it was not this request's.
        """
        met_everybody = fault.away and answers == self.others
        self.attempts += 1
        self.spared += fault.spared or met_everybody
        self.timeouts += fault.cause == "timeout"
        self.others = answers
        self.failed_last = time.monotonic()
        if self.failed_first is None:
            self.failed_first = self.failed_last

    @property
    def elapsed(self) -> float:
        """Seconds since the first failure."""
        return 0.0 if self.failed_first is None else time.monotonic() - self.failed_first


@dataclass(slots=True)
class Sender:
    """Sends requests with retries, within the limit of requests in flight.

    Attributes:
        transport: The way to the server.
        url: The server's base URL, for messages.
        key: The API key that the transport sends; kept out of messages.
        limiter: Who may ask; one for all requests to a server.
        retry: How patiently a request is asked again.
        patience: How long the server is waited for while it is away.
        watcher: Is told while it is away.
    """

    transport: Transport
    url: str
    key: Key
    limiter: Limiter
    retry: RetryPolicy
    patience: Patience = field(default_factory=Patience)
    watcher: OutageWatcher | None = None
    outage: Outage = field(init=False)
    # Set by an answer to a prompt, not by a list of models, which some servers give to anybody.
    _has_answered: bool = field(default=False, init=False)
    _in_flight: int = field(default=0, init=False)
    _landed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        """Watch over the server."""
        self.outage = Outage(self.url, self.patience, self._is_back, self.watcher)

    async def ask(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        request: Request,
        places: int,
        hand_back: Callable[[Reply], bool],
    ) -> Answer | Reply:
        """Ask for answers.

        Args:
            path: The endpoint.
            body: The request's body.
            request: What the body was made of: names the question, counts what it takes.
            places: How many answers the body asks for.
            hand_back: Says which refusals the caller can mend by asking otherwise.

        Returns:
            The answer, or a refusal that is handed back.

        Raises:
            TeacherError: The request failed for good.
        """
        tries = _Tries(others=self.outage.answers)
        while True:
            ticket = await self._place(places, request, tries)
            result = await self._attempt(path, body, request, ticket, hand_back)
            if not isinstance(result, Fault):
                return result
            await self._wait_or_raise(result, self.retry, tries, request)

    async def question(self, path: str, body: object = None) -> Reply:
        """Ask something that costs nothing and needs no place in flight.

        Args:
            path: The endpoint.
            body: What to POST; None for a GET.

        Returns:
            The reply; its status is 200 or says something about the endpoint or the body.

        Raises:
            TeacherError: The server cannot be reached, keeps failing or wants a key.
        """
        retry = self.retry.at_most(_RETRIES_OF_FREE_QUESTIONS)
        tries = _Tries()
        while True:
            await self.outage.over(tries.failed_last)
            sent = time.monotonic()
            result = await self._free(path, body, _TIMEOUT_OF_FREE_QUESTIONS)
            if isinstance(result, Reply):
                fault = fault_of(result, f"{'GET' if body is None else 'POST'} {path}", self.key)
                of_use = not fault.transient and result.status not in (401, 403)
                if of_use or result.status in NO_SUCH_ENDPOINT:
                    self.outage.replied(sent, good=True)
                    return result
                result = fault
            self._note(result, sent)
            await self._wait_or_raise(result, retry, tries)

    async def drain(self) -> None:
        """Send nothing more and return once everything in flight has come to its end."""
        self.limiter.close()
        while self._in_flight:
            self._landed.clear()
            await self._landed.wait()

    async def _place(self, places: int, request: Request, tries: _Tries) -> Ticket:
        """Wait for a place in flight while the server is there."""
        while True:
            tries_for_all = await self.outage.over(tries.failed_last)
            asked = time.perf_counter()
            ticket = await self.limiter.acquire(places, request.scope)
            request.statistics.note_wait(time.perf_counter() - asked)
            if tries_for_all or not self.outage.closed:
                return ticket
            self.limiter.release(ticket, Outcome.FAILED)

    async def _attempt(
        self,
        path: str,
        body: Mapping[str, Any],
        request: Request,
        ticket: Ticket,
        hand_back: Callable[[Reply], bool],
    ) -> Answer | Reply | Fault:
        """Ask once; the place in flight is given back."""
        outcome, work = Outcome.FAILED, 0.0
        result: Answer | Reply | Fault
        sent = time.monotonic()
        self._in_flight += 1
        try:
            try:
                reply = await self.transport.post(path, body)
                result = self._understood(reply, path, body["model"], hand_back)
            except NoReply as silence:
                result = fault_of_silence(silence)
            if isinstance(result, Answer):
                outcome = Outcome.ANSWERED
                work = result.usage.completion_tokens or len(result.choices)
                request.statistics.note_answer(time.monotonic() - sent, result.usage)
                self._has_answered = True
            elif isinstance(result, Fault) and result.overload:
                outcome = Outcome.OVERLOADED
            self._note(result, sent)
            return result
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._landed.set()
            self.limiter.release(ticket, outcome, work)

    def _understood(
        self, reply: Reply, path: str, model: str, hand_back: Callable[[Reply], bool]
    ) -> Answer | Reply | Fault:
        """Read a reply to a prompt."""
        request_line = f"POST {path}"
        if reply.status != 200:
            if hand_back(reply):
                return reply
            return fault_of(reply, request_line, self.key, model, key_works=self._has_answered)
        payload = read_json(reply.body)
        try:
            return read_answer(payload)
        except MalformedAnswer as error:
            said = server_message(payload, reply.body, self.key)
            return fault_of_malformed(error, request_line, said)

    def _note(self, result: Answer | Reply | Fault, sent: float) -> None:
        """Tell from a result whether the server is there; silence may have any reason."""
        if isinstance(result, Fault) and result.away:
            self.outage.missed(result, sent)
        elif not isinstance(result, Fault) or result.status is not None:
            self.outage.replied(sent, good=isinstance(result, Answer))

    async def _free(self, path: str, body: object, seconds: float) -> Reply | Fault:
        """Ask once something that costs nothing."""
        try:
            async with asyncio.timeout(seconds):
                sending = self.transport.get(path) if body is None else None
                return await (sending or self.transport.post(path, body))
        except TimeoutError:
            silence = NoReply(Trouble.TIMEOUT, f"nothing came within {seconds:g} s")
            return fault_of_silence(silence)
        except NoReply as silence:
            return fault_of_silence(silence)

    async def _is_back(self) -> Fault | None:
        """Ask a server that was away for its models; whoever has any reply to that is there."""
        result = await self._free("/models", None, _TIMEOUT_OF_PROBES)
        if isinstance(result, Fault):
            return result if result.transient else None
        fault = fault_of(result, "GET /models", self.key)
        return fault if fault.away else None

    async def _wait_or_raise(
        self, fault: Fault, retry: RetryPolicy, tries: _Tries, request: Request | None = None
    ) -> None:
        """Wait before the next attempt.

        Raises:
            TeacherError: Asking again cannot help, or has not helped often enough.
        """
        tries.note(fault, self.outage.answers)
        waits_at_gate = fault.away and self.outage.closed
        if waits_at_gate:
            tries.failed_first = None
        delay = None
        if fault.transient:
            delay = retry.delay(
                tries.attempts,
                fault.retry_after,
                timeouts=tries.timeouts,
                spared=tries.spared,
                elapsed=tries.elapsed,
            )
        if waits_at_gate and (fault.spared or delay is not None):
            delay = 0.0
        if delay is not None:
            if not (waits_at_gate and self.watcher):  # who watches is told of that already
                self.outage.repeats(fault.message, broken=fault.cause == "broken")
            if request is not None:
                request.statistics.note_retry(fault.cause)
            await asyncio.sleep(delay)
            return
        how_often = f" after {tries.attempts} tries" if tries.attempts > 1 else ""
        asked = f" (asked for {request.place})" if request and request.place else ""
        advice = f"; {fault.advice}" if fault.advice else ""
        raise TeacherError(
            f"{fault.message}{how_often}{asked}{advice}",
            url=self.url,
            status=fault.status,
            server_message=fault.server_message,
            fatal=fault.fatal,
        )
