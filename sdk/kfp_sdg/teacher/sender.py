"""One request to one server, asked until it is answered, refused for good or given up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher.answers import MalformedAnswer, read_answer
from kfp_sdg.teacher.faults import Fault, fault_of, fault_of_silence, read_json, server_message
from kfp_sdg.teacher.limits import Limiter, Outcome
from kfp_sdg.teacher.model import Answer
from kfp_sdg.teacher.transport import NoReply, Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfp_sdg.teacher.credentials import ApiKey
    from kfp_sdg.teacher.model import Request
    from kfp_sdg.teacher.outage import Outage
    from kfp_sdg.teacher.retry import RetryPolicy

NO_SUCH_ENDPOINT = frozenset({404, 405, 501})
"""What servers say to a path, or a method on it, that they do not serve."""

_RETRIES_OF_FREE_QUESTIONS = 4
"""A wrong URL must show within seconds, before anything was paid for."""


@dataclass(slots=True)
class _Tries:
    """How often one request was asked, and how often of these no answer came in time."""

    attempts: int = 0
    timeouts: int = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests with retries, within the limit of requests in flight.

    Attributes:
        transport: The way to the server.
        url: The server's base URL, for messages.
        key: The API key that the transport sends; kept out of messages.
        limiter: Who may ask, shared by all senders of the process.
        retry: How patiently a request is asked again.
        outage: Tells the user of requests that are asked again.
    """

    transport: Transport
    url: str
    key: ApiKey
    limiter: Limiter
    retry: RetryPolicy
    outage: Outage
    # Set by an answer to a prompt, not by a list of models, which some servers give to anybody.
    _has_answered: asyncio.Event = field(default_factory=asyncio.Event, init=False)

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
            The answer, or a refusal that ``hand_back`` wants.

        Raises:
            TeacherError: The request failed for good.
        """
        tries = _Tries()
        while True:
            result = await self._attempt(path, body, request, places)
            if isinstance(result, Reply):
                if hand_back(result):
                    return result
                result = fault_of(
                    result,
                    f"POST {path}",
                    self.key,
                    body["model"],
                    key_works=self._has_answered.is_set(),
                )
            if isinstance(result, Answer):
                self._has_answered.set()
                self.outage.ends()
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
        patience = self.retry.at_most(_RETRIES_OF_FREE_QUESTIONS)
        request_line = f"{'GET' if body is None else 'POST'} {path}"
        tries = _Tries()
        while True:
            try:
                sending = self.transport.get(path) if body is None else None
                reply = await (sending or self.transport.post(path, body))
            except NoReply as silence:
                fault = fault_of_silence(silence)
            else:
                fault = fault_of(reply, request_line, self.key)
                of_use = not fault.transient and reply.status not in (401, 403)
                if of_use or reply.status in NO_SUCH_ENDPOINT:
                    self.outage.ends()
                    return reply
            await self._wait_or_raise(fault, patience, tries)

    async def _attempt(
        self, path: str, body: Mapping[str, Any], request: Request, places: int
    ) -> Answer | Reply | Fault:
        """Ask once."""
        asked = time.perf_counter()
        ticket = await self.limiter.acquire(places, request.scope)
        sent = time.perf_counter()
        request.statistics.note_wait(sent - asked)
        outcome, work = Outcome.FAILED, 0.0
        try:
            reply = await self.transport.post(path, body)
            if reply.status != 200:
                outcome = Outcome.OVERLOADED if reply.status in (429, 503) else outcome
                return reply
            payload = read_json(reply.body)
            answer = read_answer(payload)
            outcome = Outcome.ANSWERED
            work = answer.usage.completion_tokens or len(answer.choices)
            request.statistics.note_answer(time.perf_counter() - sent, answer.usage)
            return answer
        except MalformedAnswer as error:
            said = server_message(payload, reply.body, self.key)
            return Fault(f"{error} (POST {path}: 200)", None, 200, said or None, transient=True)
        except NoReply as silence:
            fault = fault_of_silence(silence)
            outcome = Outcome.OVERLOADED if fault.overload else outcome
            return fault
        finally:
            self.limiter.release(ticket, outcome, work)

    async def _wait_or_raise(
        self, fault: Fault, retry: RetryPolicy, tries: _Tries, request: Request | None = None
    ) -> None:
        """Wait before the next attempt.

        Raises:
            TeacherError: Asking again cannot help, or has not helped often enough.
        """
        tries.attempts += 1
        tries.timeouts += fault.timed_out
        delay = None
        if fault.transient:
            delay = retry.delay(tries.attempts, fault.retry_after, timeouts=tries.timeouts)
        if delay is not None:
            self.outage.repeats(fault.message)
            if request is not None:
                request.statistics.note_retry(str(fault.status or "silence"))
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
