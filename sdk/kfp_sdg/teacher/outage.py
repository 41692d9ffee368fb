"""What is known about whether a server is there, and who may ask it while it is not.

A server that is restarted refuses connections, and a gateway in front of it answers 502, 503 or
504. All requests then wait at one gate, so that a restart costs none of them its tries, and one
asks for all again and again: a free question where nobody listens; where a gateway refuses, which
may well answer free questions itself, one request after the other of those that wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kfp_sdg.errors import TeacherError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfp_sdg.teacher.faults import Fault

logger = logging.getLogger(__name__)

_QUIET_SECONDS = 10.0
"""Between two warnings: a server under load refuses some requests and answers others."""

_TICK = 1.0
"""Seconds between two words to whoever watches."""

_SOON_AWAY = 1.0
"""Seconds from a broken connection, which is the first that is seen of a server that goes away, to
the refusal of the next."""

_QUICK_REFUSAL = 2.0
"""Seconds. Gateways refuse at once; a request that is not refused by then is being answered, and
the others need not wait until it is."""


class OutageWatcher(Protocol):
    """Is told of servers that are waited for; called on the pool's loop, so it must be quick."""

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        """A server is away; told when that begins and about once a second after."""

    def back(self, url: str) -> None:
        """A server that was away answers again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server that is away is waited for, in seconds.

    Attributes:
        once_answered: After it has answered something.
        at_start: Before that; a wrong URL should show soon.
        first_delay: Bound of the wait between two questions whether it is back; doubled up to
            ``longest_delay``, which is short so that a restarted server is used at once.
        longest_delay: See there.
        doubt: How long gateway errors may follow each other, with no answer between them, before
            they count as an outage. A busy server refuses some requests and answers others.
    """

    once_answered: float = 600.0
    at_start: float = 15.0
    first_delay: float = 0.5
    longest_delay: float = 2.0
    doubt: float = 1.0


@dataclass(slots=True)
class _Scout:
    """A request that tries for all.

    Attributes:
        sent: When it left the gate; None until a request has come for it.
        left: Set from then on.
        fault: Why it was refused.
    """

    sent: float | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    fault: asyncio.Future[Fault] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def leave(self) -> None:
        """Be the next request to be sent."""
        self.sent = time.monotonic()
        self.left.set()

    def failed(self, fault: Fault, sent: float) -> None:
        """Take note of a request that failed, if it can have been this one."""
        if self.sent is not None and sent >= self.sent and not self.fault.done():
            self.fault.set_result(fault)


@dataclass(slots=True)
class Outage:
    """Whether one server is away; used on one loop only.

    Attributes:
        url: The server's base URL.
        patience: How long it is waited for.
        is_back: Asks the server something free: the fault if it is away, else None.
        watcher: Is told of it.
        answers: How often it answered so far, free questions included.
    """

    url: str
    patience: Patience
    is_back: Callable[[], Awaitable[Fault | None]]
    watcher: OutageWatcher | None = None
    answers: int = 0
    _has_replied: bool = False
    # Since when only gateway errors came; None after a reply.
    _doubted: float | None = None
    # When the server was first missed; None once it has replied to a request again.
    _began: float | None = None
    # When the gate was closed; None while it is open.
    _closed: float | None = None
    _opened: float = 0.0
    _refused_by_gateway: bool = False
    # Set while one of the waiting requests is to try for all, or does.
    _scout: _Scout | None = None
    _fault: Fault | None = None
    # Set once the patience was over; for requests that are still on their way to the gate.
    _lost: Callable[[], TeacherError] | None = None
    _tries: int = 0
    _delay: float = 0.0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _asking: asyncio.Task[None] | None = None
    _told: bool = False
    _last_told: float | None = None
    _telling: asyncio.TimerHandle | None = None

    # -- what happened to requests ----------------------------------------------------------------

    def replied(self, sent: float, *, good: bool) -> None:
        """Take note of a reply that no gateway gave for a missing server.

        Args:
            sent: When its request was sent (``time.monotonic``).
            good: Whether it is an answer, and no refusal.
        """
        self.answers += good
        self._has_replied = True
        self._doubted = None
        if good:
            self._told = False
        # Whoever was connected before may be answered still while new connections are refused.
        since = self._closed if self._closed is not None else self._opened
        if self._began is not None and (sent >= since or self._refused_by_gateway):
            self._open()
            self._began = None

    def missed(self, fault: Fault, sent: float) -> None:
        """Take note of a request that did not reach the server.

        Args:
            fault: What happened to it.
            sent: When it was sent; of no weight if the server was back after that.
        """
        if self._scout is not None:
            self._scout.failed(fault, sent)
        if self._closed is not None or sent < self._opened:
            return
        now = time.monotonic()
        self._doubted = self._doubted if self._doubted is not None else now
        certain = fault.status is None or self._began is not None
        if certain or now - self._doubted >= self.patience.doubt:
            self._close(fault, now)

    def repeats(self, why: str, *, broken: bool = False) -> None:
        """Say that a request is asked again, unless that was said of this outage, or just now.

        Args:
            why: What happened to the request.
            broken: Its connection broke. Where somebody watches, that is told later, if it is not
                the beginning of an outage, which they are told of otherwise.
        """
        if not broken or self.watcher is None:
            self._tell_of_repetition(why)
        elif self._telling is None and not self.closed:
            self._telling = asyncio.get_running_loop().call_later(
                _SOON_AWAY, self._tell_unless_away, why, time.monotonic()
            )

    def _tell_unless_away(self, why: str, noted: float) -> None:
        self._telling = None
        if not self.closed and self._opened < noted:
            self._tell_of_repetition(why)

    def _tell_of_repetition(self, why: str) -> None:
        now = time.monotonic()
        recently = self._last_told is not None and now - self._last_told < _QUIET_SECONDS
        if not self._told and not recently:
            self._told, self._last_told = True, now
            logger.warning("teacher at %s: %s; trying again", self.url, why)

    # -- the gate ---------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether requests have to wait."""
        return self._closed is not None

    async def over(self, failed: float | None = None) -> bool:
        """Wait until the server is back; at once where it was not away.

        Args:
            failed: When the request failed last; None if it has not been asked yet.

        Returns:
            Whether the request is to try for all: the server is still away as far as is known.

        Raises:
            TeacherError: It did not come back within the patience.
        """
        if self._lost is not None and failed is not None and failed <= self._opened:
            raise self._lost()
        while self.closed:
            if self._scout is not None and self._scout.sent is None:
                self._scout.leave()
                return True
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn  # once cancelled it is passed over by whoever opens the gate
        return False

    def _close(self, fault: Fault, now: float) -> None:
        if self._began is None:
            self._began = self._doubted if self._doubted is not None else now
            self._tries, self._delay = 0, self.patience.first_delay
        self._closed = now
        self._tries += 1
        self._fault = fault
        self._refused_by_gateway = fault.status is not None
        self._asking = asyncio.get_running_loop().create_task(self._ask_until_back())
        self._asking.add_done_callback(self._asked)

    def _asked(self, asking: asyncio.Task[None]) -> None:
        """Nobody may wait for a task that has died."""
        if not asking.cancelled() and (error := asking.exception()) is not None:
            self._wake(lambda: error)

    def _open(self) -> None:
        if self._closed is None:
            return
        self._closed, self._opened, self._scout = None, time.monotonic(), None
        self._wake(None)
        if self._asking is not None and self._asking is not asyncio.current_task():
            self._asking.cancel()
        if self.watcher is not None:
            self.watcher.back(self.url)

    def _wake(self, error: Callable[[], BaseException] | None) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if turn.done():
                continue
            if error is None:
                turn.set_result(None)
            else:
                turn.set_exception(error())

    # -- is it back? ------------------------------------------------------------------------------

    async def _ask_until_back(self) -> None:
        """Ask with growing waits until the server replies or the patience is over."""
        while True:
            wish = (self._fault.retry_after if self._fault else None) or 0.0
            await self._wait(max(self._delay, wish))
            if self._seconds_left() <= 0:
                self._give_up(fatal=await self.is_back() is not None)
                return
            fault = await (self._send_scout() if self._refused_by_gateway else self.is_back())
            self._tries += 1
            if fault is None:
                self._has_replied = True
                self._open()
                return
            self._fault = fault
            self._delay = min(2 * self._delay, self.patience.longest_delay)

    async def _send_scout(self) -> Fault | None:
        """Let one request through; return its fault if it is refused at once."""
        self._scout = scout = _Scout()
        # One of those that wait: whoever has waited longest, and to the end of the line again.
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        await self._wait(self._seconds_left(), scout.left)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_QUICK_REFUSAL):
                return await scout.fault
        return None

    def _seconds_left(self) -> float:
        whole = self.patience.once_answered if self._has_replied else self.patience.at_start
        began = self._began if self._began is not None else time.monotonic()
        return began + whole - time.monotonic()

    async def _wait(self, seconds: float, event: asyncio.Event | None = None) -> None:
        """Sleep, not longer than the patience, and tell the watcher about once a second.

        Args:
            seconds: How long.
            event: What ends the sleep before.
        """
        event = event or asyncio.Event()
        until = time.monotonic() + min(seconds, max(0.0, self._seconds_left()))
        while True:
            if self.watcher is not None and self._fault is not None:
                left = max(0.0, self._seconds_left())
                self.watcher.waiting(self.url, self._fault.message, left)
            rest = until - time.monotonic()
            if rest <= 0 or event.is_set():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rest, _TICK)):
                    await event.wait()

    def _give_up(self, *, fatal: bool) -> None:
        """Fail whoever waits; a request that comes later finds the gate open.

        Args:
            fatal: Whether nobody is there; else it is these requests that are refused.
        """
        fault, tries = self._fault, self._tries
        waited = time.monotonic() - (self._began or 0.0)
        then = "; start it and run again, or wait longer with --teacher-patience"
        then = then if fatal and self._has_replied else ""

        def error() -> TeacherError:
            what = fault.message if fault else "the server is away"
            advice = (fault.advice if fault else None) or "look into its log"
            return TeacherError(
                f"{what}; waited {waited:.0f} s for it, {tries} tries; {advice}{then}",
                url=self.url,
                status=fault.status if fault else None,
                server_message=fault.server_message if fault else None,
                fatal=fatal,
            )

        self._closed, self._began, self._doubted = None, None, None
        self._opened, self._lost, self._scout = time.monotonic(), error, None
        self._wake(error)
