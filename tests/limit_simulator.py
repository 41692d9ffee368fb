"""A server and its clients in simulated time, to measure how a limiter settles.

    server = Server(slots=64, latency={"ask": 0.1}, jitter=0.5)
    run = simulate(server, [Client(control, requests=1000)])
    assert run.utilisation() > 0.97

A discrete-event simulation: what would take minutes on a stub takes a second and is the same each
time. It drives the rule of a limiter, not its asyncio part: ``limit``, ``sent`` and ``ended``.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from kfp_sdg.teacher.limits import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Control(Protocol):
    """What is simulated: a limit and what it learns from."""

    limit: int

    def sent(self, places: int, kind: str, flight: int) -> Any: ...

    def ended(self, sent: Any, outcome: Outcome) -> None: ...


@dataclass
class Fixed:
    """The best setting to compare with."""

    limit: int

    def sent(self, places: int, kind: str, flight: int) -> None:
        """Learn nothing."""

    def ended(self, sent: None, outcome: Outcome) -> None:
        """Learn nothing."""


@dataclass
class Clock:
    """The time of the simulation in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Flight:
    """A request on its way."""

    client: Client
    kind: str
    places: int
    at: float
    ticket: Any
    unfinished: int
    over: bool = False


@dataclass(eq=False)
class Client:
    """Sends requests as long as its limit allows.

    Attributes:
        control: The limit and its rule.
        requests: How many to send; None: as many as fit until the simulation ends.
        kind: The kind of the request with this number at this time.
        places: Answers per request.
        begins: When the first is sent.
        ends: When no more are sent.
        supply: How many requests there are at most in flight at this time, whatever the limit.
        timeout: Seconds after which a request is given up.
        pause: How long the client lets answers gather before it looks at them; None: not at all.
    """

    control: Control
    requests: int | None = None
    kind: Callable[[int, float], str] = lambda number, now: "ask"
    places: int = 1
    begins: float = 0.0
    ends: float = float("inf")
    supply: Callable[[float], int] | None = None
    timeout: float = float("inf")
    pause: Callable[[int], float] | None = None
    gathered: list[Flight] = field(default_factory=list, init=False)
    sent: int = field(default=0, init=False)
    taken: int = field(default=0, init=False)
    in_flight: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    timed_out: int = field(default=0, init=False)
    answered_at: list[tuple[float, float]] = field(default_factory=list, init=False)
    limits: list[tuple[float, int]] = field(default_factory=list, init=False)

    def answers(self, start: float, end: float) -> int:
        """Requests answered in a span of time."""
        return sum(start <= at < end for at, _ in self.answered_at)

    def waits(self, start: float, end: float) -> list[float]:
        """Latencies of the answers that came in a span of time, in seconds."""
        return [latency for at, latency in self.answered_at if start <= at < end]

    def limit_in(self, start: float, end: float) -> float:
        """The mean limit over a span of time, weighted by answers."""
        seen = [limit for at, limit in self.limits if start <= at < end]
        return sum(seen) / len(seen) if seen else float(self.control.limit)


@dataclass
class Server:
    """A server of LLM answers.

    Attributes:
        slots: How many sequences are written at once; the others wait in order. May change with
            time (a function of the seconds).
        latency: Mean seconds of one sequence by kind, with the server to itself.
        jitter: 0.8: the seconds are spread evenly over ±80 %.
        speed: Throughput, in sequences at once worth of full speed, of a batch of so many; None:
            as many as the batch has. vLLM's grows less than its batch.
        most: More sequences than this in the house are refused with a 429.
        refuses: The share of requests refused at random.
        drift: Factor on the seconds of a sequence that starts now.
        overhead: Seconds for the network and the client, per request.
    """

    slots: int
    latency: Mapping[str, float]
    jitter: float = 0.0
    speed: Callable[[int], float] | None = None
    most: float = float("inf")
    refuses: float = 0.0
    drift: Callable[[float], float] = lambda now: 1.0
    overhead: float = 0.001


class Simulation:
    """A run; see ``simulate``."""

    def __init__(self, server: Server, clients: list[Client], clock: Clock, seed: int) -> None:
        self.server, self.clients, self.clock = server, clients, clock
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._queue: deque[Flight] = deque()
        self._batch: list[tuple[float, int, Flight]] = []
        self._progress = 0.0
        self._progress_at = 0.0
        self._epoch = 0
        self._inside = 0
        self.busy: list[tuple[float, float]] = []
        self.last_answer = 0.0

    def run(self, until: float) -> Simulation:
        for client in self.clients:
            self._plan(client.begins, self._send, client)
            if client.supply is not None:
                for tick in range(int(min(until, 1000.0) * 10)):
                    self._plan(tick / 10, self._send, client)
        while self._events and self._events[0][0] <= until:
            self.clock.now, _, act, args = heapq.heappop(self._events)
            act(*args)
        return self

    def utilisation(self, start: float = 0.0, end: float | None = None) -> float:
        """Busy slot seconds over slots times seconds, to the last answer unless told."""
        end = self.last_answer if end is None else end
        area, (before, level) = 0.0, (0.0, 0.0)
        for at, new in [*self.busy, (end, 0.0)]:
            area += level * max(0.0, min(at, end) - max(before, start))
            before, level = at, new
        full = self.server.slots if self.server.speed is None else self._speed(self.server.slots)
        return area / (full * (end - start))

    def _plan(self, at: float, act: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._events, (at, next(self._order), act, args))

    def _speed(self, batch: int) -> float:
        return float(batch) if self.server.speed is None else self.server.speed(batch)

    # -- the client -----------------------------------------------------------------------------

    def _send(self, client: Client) -> None:
        now = self.clock.now
        while now >= client.begins and now < client.ends:
            if client.requests is not None and client.sent >= client.requests:
                return
            if client.taken and client.taken + client.places > client.control.limit:
                return
            if client.supply is not None and client.in_flight >= client.supply(now):
                return
            kind = client.kind(client.sent, now)
            client.sent += 1
            client.in_flight += 1
            client.taken += client.places
            ticket = client.control.sent(client.places, kind, client.taken)
            flight = Flight(client, kind, client.places, now, ticket, client.places)
            self._plan(now + self.server.overhead / 2, self._arrive, flight)
            if client.timeout < float("inf"):
                self._plan(now + client.timeout, self._give_up, flight)

    def _answered(self, flight: Flight) -> None:
        client = flight.client
        pause = client.pause(client.taken) if client.pause is not None else 0.0
        if not client.gathered:
            self._plan(self.clock.now + pause, self._look, client)
        client.gathered.append(flight)

    def _look(self, client: Client) -> None:
        gathered, client.gathered = client.gathered, []
        for flight in gathered:
            self._end(flight, Outcome.ANSWERED)

    def _end(self, flight: Flight, outcome: Outcome) -> None:
        if flight.over:
            return
        flight.over = True
        client, now = flight.client, self.clock.now
        client.in_flight -= 1
        client.taken -= flight.places
        client.control.ended(flight.ticket, outcome)
        client.limits.append((now, client.control.limit))
        if outcome is Outcome.ANSWERED:
            client.answered_at.append((now, now - flight.at))
            self.last_answer = now
        elif client.requests is not None:
            client.requests += 1  # asked again
        self._send(client)

    def _give_up(self, flight: Flight) -> None:
        if not flight.over:
            flight.client.timed_out += 1
            self._end(flight, Outcome.OVERLOADED)

    def _refuse(self, flight: Flight) -> None:
        flight.client.refused += 1
        # Whoever is refused waits before it asks again, and holds no place meanwhile.
        self._end(flight, Outcome.OVERLOADED)

    # -- the server -----------------------------------------------------------------------------

    def _arrive(self, flight: Flight) -> None:
        refused = self._inside + flight.places > self.server.most
        if refused or self._random.random() < self.server.refuses:
            self._plan(self.clock.now + 0.005, self._refuse, flight)
            return
        self._inside += flight.places
        self._queue.extend([flight] * flight.places)
        self._schedule()

    def _advance(self) -> None:
        """Bring the progress of the batch to the present moment."""
        now, batch = self.clock.now, len(self._batch)
        if batch:
            self._progress += (now - self._progress_at) * self._speed(batch) / batch
        self._progress_at = now

    def _schedule(self) -> None:
        self._advance()
        while self._queue and len(self._batch) < self.server.slots:
            flight = self._queue.popleft()
            if flight.over:
                self._inside -= 1
                continue
            spread = self._random.uniform(1 - self.server.jitter, 1 + self.server.jitter)
            work = self.server.latency[flight.kind] * spread * self.server.drift(self.clock.now)
            heapq.heappush(self._batch, (self._progress + work, next(self._order), flight))
        batch = len(self._batch)
        self.busy.append((self.clock.now, self._speed(batch) if batch else 0.0))
        self._epoch += 1
        if batch:
            left = (self._batch[0][0] - self._progress) * batch / self._speed(batch)
            self._plan(self.clock.now + max(0.0, left), self._finish, self._epoch)

    def _finish(self, epoch: int) -> None:
        if epoch != self._epoch:
            return  # the batch has changed since
        self._advance()
        _, _, flight = heapq.heappop(self._batch)
        self._inside -= 1
        flight.unfinished -= 1
        if not flight.unfinished:
            self._plan(self.clock.now + self.server.overhead / 2, self._answered, flight)
        self._schedule()


def simulate(
    server: Server,
    clients: list[Client],
    clock: Clock | None = None,
    *,
    until: float = 1e9,
    seed: int = 1,
) -> Simulation:
    """Run clients against a server.

    Args:
        server: The server.
        clients: Who sends to it.
        clock: The clock that the clients' controls look at.
        until: When to stop, in seconds; clients with a number of requests stop by themselves.
        seed: Of the latencies.
    """
    return Simulation(server, clients, clock or Clock(), seed).run(until)
