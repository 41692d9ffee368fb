"""The limiter as a queue on an event loop, and against the stub."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.teacher.adaptive import AdaptiveLimiter
from kfp_sdg.teacher.connection import connect
from kfp_sdg.teacher.limits import Outcome
from kfp_sdg.teacher.model import Request
from kfp_sdg.teacher.options import TeacherOptions
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from kfp_sdg.teacher.limits import Limiter, Ticket


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_asks_first_is_let_in_first_even_if_a_later_one_would_fit() -> None:
    async def scenario() -> list[str]:
        limiter: Limiter = AdaptiveLimiter(4)
        order: list[str] = []

        async def ask(name: str, places: int) -> Ticket:
            ticket = await limiter.acquire(places, "block")
            order.append(name)
            return ticket

        first = await ask("first", 3)
        tasks = [asyncio.create_task(ask(*who)) for who in (("large", 4), ("small", 1))]
        await settle()
        assert order == ["first"]
        limiter.release(first, Outcome.ANSWERED)
        await settle()
        assert order == ["first", "large"]
        limiter.release(await tasks[0], Outcome.FAILED)
        await settle()
        return order

    assert asyncio.run(scenario()) == ["first", "large", "small"]


def test_a_request_for_more_places_than_there_are_goes_alone() -> None:
    async def scenario() -> None:
        limiter = AdaptiveLimiter(2)
        large = await limiter.acquire(10, "block")
        small = asyncio.create_task(limiter.acquire(1, "block"))
        await settle()
        assert not small.done()
        limiter.release(large, Outcome.ANSWERED)
        await asyncio.wait_for(small, 5)

    asyncio.run(scenario())


def test_whoever_gives_up_waiting_leaves_its_turn_to_the_next() -> None:
    async def scenario() -> None:
        limiter = AdaptiveLimiter(1)
        ticket = await limiter.acquire(1, "block")
        impatient = asyncio.create_task(limiter.acquire(1, "block"))
        patient = asyncio.create_task(limiter.acquire(1, "block"))
        await settle()
        impatient.cancel()
        await settle()
        limiter.release(ticket, Outcome.ANSWERED)
        await asyncio.wait_for(patient, 5)
        assert impatient.cancelled()

    asyncio.run(scenario())


def test_a_place_given_to_one_that_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    async def scenario() -> None:
        limiter = AdaptiveLimiter(1)
        ticket = await limiter.acquire(1, "block")
        unlucky = asyncio.create_task(limiter.acquire(1, "block"))
        next_one = asyncio.create_task(limiter.acquire(1, "block"))
        await settle()
        limiter.release(ticket, Outcome.ANSWERED)
        unlucky.cancel()
        await asyncio.wait_for(next_one, 5)
        assert unlucky.cancelled()

    asyncio.run(scenario())


def test_a_closed_limiter_takes_places_back_and_gives_none_out() -> None:
    async def scenario() -> None:
        limiter = AdaptiveLimiter(1)
        ticket = await limiter.acquire(1, "block")
        waiting = asyncio.create_task(limiter.acquire(1, "block"))
        await settle()
        limiter.close()
        limiter.release(ticket, Outcome.ANSWERED)
        await settle()
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(("most", "start", "limit"), [(1024, 64, 64), (16, 64, 16), (1024, 8, 8)])
def test_it_starts_at_a_guess_below_the_cap(most: int, start: int, limit: int) -> None:
    assert AdaptiveLimiter(most, start=start).limit == limit


# Wide bounds: on a machine that does other things the server is slower than it says. What the rule
# finds exactly is held by the simulated tests.
@pytest.mark.parametrize(("slots", "least", "most"), [(4, 3, 30), (64, 40, 500)])
def test_it_finds_the_slots_of_a_server(slots: int, least: int, most: int) -> None:
    with (
        StubTeacher(slots=slots, latency=0.1) as stub,
        connect(TeacherOptions(url=stub.url)) as pool,
    ):
        teacher = pool.teacher(None)

        async def ask_all() -> None:
            requests = [Request(f"{i}", "stub-model", scope="block") for i in range(slots * 15)]
            await asyncio.gather(*map(teacher.complete, requests))

        pool.run(ask_all())
        assert len(stub.requests) == slots * 15
        assert least <= pool.concurrency("stub-model") <= most
