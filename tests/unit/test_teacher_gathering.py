"""The event loop that lets answers gather."""

from __future__ import annotations

import asyncio
import selectors
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.teacher.gathering import GatheringSelector, gathering_loop, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Two connections."""
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(2)]
        for one, other in made:
            stack.enter_context(one)
            stack.enter_context(other)
        yield made


def watching(
    pairs: list[tuple[socket.socket, socket.socket]],
    slack: float,
    sleep: Callable[[float], None],
) -> GatheringSelector:
    selector = GatheringSelector(lambda: slack, sleep=sleep)
    for number, (reader, _) in enumerate(pairs):
        selector.register(reader, selectors.EVENT_READ, number)
    return selector


def test_what_follows_the_first_event_is_handled_with_it(pairs):
    selector = watching(pairs, 10.0, lambda seconds: pairs[1][1].send(b"later"))
    pairs[0][1].send(b"first")
    with selector:
        assert {key.data for key, _ in selector.select(5)} == {0, 1}


def test_nobody_waits_while_the_server_has_nothing_in_line(pairs):
    slept: list[float] = []
    pairs[0][1].send(b"first")
    with watching(pairs, 0.0, slept.append) as selector:
        assert [key.data for key, _ in selector.select(5)] == [0]
    assert not slept


def test_a_loop_that_has_work_to_do_goes_on_with_it(pairs):
    slept: list[float] = []
    pairs[0][1].send(b"first")
    with watching(pairs, 10.0, slept.append) as selector:
        assert [key.data for key, _ in selector.select(0)] == [0]
        selector.unregister(pairs[0][0])
        assert selector.select(0.001) == []  # a timer is due
    assert not slept


@pytest.mark.parametrize(
    ("slack", "seconds"), [(-1.0, 0.0), (0.0, 0.0), (0.004, 0.0), (0.08, 0.01), (60.0, 0.1)]
)
def test_the_pause_is_a_part_of_the_slack_within_bounds(slack, seconds):
    assert pause(slack) == pytest.approx(seconds)


def test_calls_timers_and_other_threads_are_served_all_the_same():
    loop = gathering_loop(lambda: 1.0)

    async def scenario() -> list[str]:
        done: list[str] = []
        loop.call_soon(done.append, "soon")
        loop.call_later(0.01, done.append, "later")
        await asyncio.to_thread(lambda: loop.call_soon_threadsafe(done.append, "thread"))
        await asyncio.sleep(0.05)
        return done

    try:
        assert sorted(loop.run_until_complete(scenario())) == ["later", "soon", "thread"]
    finally:
        loop.close()
