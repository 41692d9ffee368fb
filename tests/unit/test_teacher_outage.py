"""A server that goes away and comes back: nobody is rejected, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from asking import HELLO, complete, connected, failure, failure_of, variant
from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher import Answer, Request, RequestStatistics
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from kfp_sdg.teacher import TeacherPool


@dataclass
class Watcher:
    """Writes down what it is told."""

    waits: list[tuple[str, str, float]] = field(default_factory=list)
    returns: list[str] = field(default_factory=list)
    waiting_now: threading.Event = field(default_factory=threading.Event)

    def waiting(self, url: str, why: str, seconds_left: float) -> None:
        self.waits.append((url, why, seconds_left))
        self.waiting_now.set()

    def back(self, url: str) -> None:
        self.returns.append(url)


async def ask_many(pool: TeacherPool, count: int, **changes: Any) -> list[Answer | BaseException]:
    """Ask so many questions at once; errors stand in the places of their answers."""
    requests = [variant(prompt=f"Question {i}", **changes) for i in range(count)]
    teacher = pool.teacher(None)
    return await asyncio.gather(*map(teacher.complete, requests), return_exceptions=True)


def prompts_of(stub: StubTeacher) -> set[str]:
    return set(stub.prompts)


def test_a_restart_in_the_middle_costs_no_request_its_answer_and_is_shown(stub_teacher):
    stub_teacher.latency = 0.05
    watcher, statistics = Watcher(), RequestStatistics()
    with connected(
        stub_teacher.url, outage_watcher=watcher, max_concurrency=8, max_retries=1
    ) as pool:
        stub_teacher.restart(0.5, after=0.12)
        answers = pool.run(ask_many(pool, 60, statistics=statistics))
    assert all(isinstance(answer, Answer) for answer in answers)
    assert len({answer.choices[0].text for answer in answers}) == 60
    # What was in flight is asked again, and a few that met the closed port at the same time.
    assert len(stub_teacher.requests) <= 60 + 8
    url, why, left = watcher.waits[0]
    assert url == stub_teacher.url
    assert "Connection refused" in why
    assert 0 < left <= 600
    assert watcher.returns == [stub_teacher.url]
    assert set(statistics.retries) <= {"broken", "unreachable"}
    assert 0 < statistics.retries.total() <= 16


def test_an_outage_that_is_watched_is_told_once_though_it_begins_with_broken_connections(
    stub_teacher, caplog
):
    stub_teacher.latency = 0.3
    watcher = Watcher()
    with connected(stub_teacher.url, outage_watcher=watcher, max_concurrency=8) as pool:
        complete(pool)
        stub_teacher.restart(1.5, after=0.1)
        pool.run(ask_many(pool, 30))
    assert watcher.returns == [stub_teacher.url]
    assert caplog.messages == []


def test_connections_that_break_while_the_server_is_there_are_warned_of(stub_teacher, caplog):
    with connected(stub_teacher.url, outage_watcher=Watcher(), first_delay=3.0) as pool:
        pool.run(ask_many(pool, 5))
        stub_teacher.fail_next(kind="reset", times=3)
        stub_teacher.latency = 1.2
        pool.run(ask_many(pool, 10))
    (message,) = caplog.messages
    assert "the connection broke before the answer was complete" in message
    assert message.endswith("trying again")


def test_many_restarts_use_up_nobodys_retries(stub_teacher):
    with connected(stub_teacher.url, max_retries=1, max_concurrency=4) as pool:
        for _ in range(4):
            complete(pool)
            stub_teacher.restart(0.1)
        assert complete(pool).choices


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateway_errors_for_everybody_are_waited_out_without_using_up_retries(stub_teacher, status):
    stub_teacher.latency = 0.01
    with connected(stub_teacher.url, max_retries=2, first_delay=0.02, longest_delay=0.05) as pool:
        complete(pool)
        stub_teacher.fail_for(0.6, status)
        answers = pool.run(ask_many(pool, 20))
    assert all(isinstance(answer, Answer) for answer in answers)


def test_while_the_server_is_away_one_asks_for_all(stub_teacher):
    with connected(stub_teacher.url, first_delay=0.02, longest_delay=0.1) as pool:
        complete(pool)
        stub_teacher.reset()
        stub_teacher.fail_for(0.4, 503)
        pool.run(ask_many(pool, 50))
    failed = len(stub_teacher.requests) - 50
    # 400 ms of retries without a gate would be some 50 x 5 requests.
    assert failed < 50 * 4


def test_a_poisoned_prompt_behind_a_gateway_rejects_its_row_while_others_are_answered(
    stub_teacher,
):
    stub_teacher.poison = {"Question 7": 502}
    stub_teacher.latency = 0.01
    with connected(stub_teacher.url, max_concurrency=4, patience=0.5) as pool:
        answers = pool.run(ask_many(pool, 200))
    failed = [answer for answer in answers if isinstance(answer, TeacherError)]
    assert len(failed) == 11  # Question 7 and 70 to 79
    assert {(error.status, error.fatal) for error in failed} == {(502, False)}


def test_after_the_patience_the_run_ends_with_how_long_was_waited_and_what_to_do():
    watcher = Watcher()
    with StubTeacher() as stub:
        context = connected(stub.url, outage_watcher=watcher, patience=0.4)
        pool = context.__enter__()
        complete(pool)
    try:
        error = failure(pool)
    finally:
        context.__exit__(None, None, None)
    assert error.fatal
    assert "Connection refused" in str(error)
    assert "waited 0 s" in str(error)
    assert "is the server running" in str(error)
    assert "--teacher-patience" in str(error)
    assert watcher.returns == []


def test_everybody_who_waits_is_told_when_the_patience_is_over():
    with StubTeacher() as stub:
        url = stub.url
    with connected(url) as pool:
        answers = pool.run(ask_many(pool, 30))
    assert {type(answer) for answer in answers} == {TeacherError}
    assert len({id(answer) for answer in answers}) == 30


def test_a_server_that_never_answered_has_the_short_patience_only():
    with StubTeacher() as stub:
        url = stub.url
    with connected(url, patience=3600.0, patience_at_start=0.1) as pool:
        error = failure_of(pool, pool.teacher(None).models())
    assert error.fatal
    assert "--teacher-patience" not in str(error)


def test_a_server_that_starts_late_is_waited_for_at_the_start(stub_teacher):
    stub_teacher.restart(0.3)
    with connected(stub_teacher.url, patience_at_start=30.0) as pool:
        assert pool.run(pool.teacher(None).models()) == ("stub-model",)
        assert complete(pool).choices


def test_a_server_can_be_asked_again_after_it_was_given_up(stub_teacher):
    with connected(stub_teacher.url, patience=0.1) as pool:
        complete(pool)
        stub_teacher.restart(0.5)
        while (error := _failure_or_none(pool)) is None:
            time.sleep(0.01)
        assert error.fatal
        while _failure_or_none(pool) is not None:
            time.sleep(0.01)
        assert complete(pool).choices


def _failure_or_none(pool: TeacherPool) -> TeacherError | None:
    try:
        complete(pool)
    except TeacherError as error:
        return error
    return None


def test_a_third_of_refusals_for_load_reject_nobody(stub_teacher):
    stub_teacher.fail_often(0.3, 429)
    with connected(stub_teacher.url, max_retries=1) as pool:
        answers = pool.run(ask_many(pool, 300))
    assert all(isinstance(answer, Answer) for answer in answers)
    # Three of ten requests fail; each answer is paid once.
    assert len(stub_teacher.requests) == pytest.approx(300 / 0.7, abs=2)


def test_a_request_refused_for_load_all_the_time_is_given_up_with_the_patience(stub_teacher):
    stub_teacher.poison = {"hemlock": 429}
    with connected(stub_teacher.url, patience=0.3, longest_delay=0.02) as pool:
        complete(pool)
        error = failure(pool, variant(prompt="Taste the hemlock."))
        assert not error.fatal
        assert "poisoned prompt" in str(error)
        assert complete(pool).choices


def test_a_drained_pool_finishes_what_is_in_flight_and_sends_nothing_more(stub_teacher):
    stub_teacher.latency = 0.3
    with connected(stub_teacher.url, max_concurrency=3) as pool:
        inquiry = pool.inquiry()
        inquiry.send([(i, Request(f"Question {i}", "stub-model")) for i in range(10)])
        while len(stub_teacher.requests) < 3:
            time.sleep(0.005)
        pool.drain(10.0)
        results = [result for _, result in inquiry.collect(wait=False)]
    assert len([result for result in results if isinstance(result, Answer)]) == 3
    assert len(stub_teacher.requests) == 3


def test_draining_starts_no_retry_and_waits_for_no_server_that_is_away(stub_teacher):
    stub_teacher.poison = {"hemlock": 429}
    with connected(stub_teacher.url, longest_delay=0.01) as pool:
        inquiry = pool.inquiry()
        inquiry.send([(0, variant(prompt="Taste the hemlock."))])
        while len(stub_teacher.requests) < 3:
            time.sleep(0.005)
        pool.drain(10.0)
        asked = len(stub_teacher.requests)
        pool.run(asyncio.sleep(0.1))
        assert len(stub_teacher.requests) == asked


def test_draining_ends_after_the_time_it_was_given(stub_teacher):
    stub_teacher.fail_next(kind="hang")
    with connected(stub_teacher.url) as pool:
        inquiry = pool.inquiry()
        inquiry.send([(0, HELLO)])
        while not stub_teacher.requests:
            time.sleep(0.005)
        pool.drain(0.1)
        assert not [r for _, r in inquiry.collect(wait=False) if isinstance(r, Answer)]


def test_a_run_of_one_server_leaves_the_places_of_another_alone(stub_teacher):
    stub_teacher.latency = 0.05
    with StubTeacher(models=("judge",), latency=0.05) as judge:
        endpoints = {"judge": judge.url}
        with connected(stub_teacher.url, endpoints=endpoints, max_concurrency=2) as pool:
            assert pool.concurrency("judge") == pool.concurrency(None) == 2
            questions = [
                Request(f"Question {i}", m) for i in range(8) for m in ("stub-model", "judge")
            ]

            async def ask_all() -> None:
                await asyncio.gather(*(pool.teacher(q.model).complete(q) for q in questions))

            pool.run(ask_all())
    assert stub_teacher.max_in_flight == judge.max_in_flight == 2
