"""Many requests under way at once, for a thread that has no loop."""

from __future__ import annotations

import asyncio

import pytest

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher import Answer, Choice, Request, TeacherPool
from scripted_teacher import ScriptedTeacher


def requests(count: int, n: int = 1) -> list[tuple[int, Request]]:
    return [(number, Request(f"p{number}", "m", n)) for number in range(count)]


def collected(inquiry) -> dict:
    """Collect until nothing is outstanding."""
    results = {}
    while not inquiry.is_idle:
        results.update(inquiry.collect(wait=True))
    return results


def test_every_request_is_answered_under_its_own_name():
    with TeacherPool(ScriptedTeacher(lambda r: [r.prompt.upper()])) as pool:
        inquiry = pool.inquiry()
        inquiry.send(requests(500))
        results = collected(inquiry)
    assert {tag: answer.choices[0].text for tag, answer in results.items()} == {
        number: f"P{number}" for number in range(500)
    }


def test_requests_are_sent_in_the_order_they_are_given():
    teacher = ScriptedTeacher(lambda r: ["x"])
    with TeacherPool(teacher) as pool:
        inquiry = pool.inquiry()
        inquiry.send(requests(100))
        inquiry.send([(100, Request("last", "m"))])
        collected(inquiry)
    assert [r.prompt for r in teacher.requests] == [*(f"p{n}" for n in range(100)), "last"]


def test_outstanding_choices_are_counted_by_model_until_they_are_collected():
    with TeacherPool(ScriptedTeacher(lambda r: ["x"])) as pool:
        inquiry = pool.inquiry()
        assert inquiry.is_idle
        assert inquiry.collect(wait=True) == []
        inquiry.send([*requests(3, n=10), ("other", Request("p", "o"))])
        assert (inquiry.outstanding("m"), inquiry.outstanding("o")) == (30, 1)
        collected(inquiry)
        assert (inquiry.outstanding("m"), inquiry.outstanding("o")) == (0, 0)


def test_failures_are_results_and_stop_nothing():
    def reply(request):
        raise {"p0": TeacherError("poisoned"), "p1": KeyError("defect")}[request.prompt]

    with TeacherPool(ScriptedTeacher(reply)) as pool:
        inquiry = pool.inquiry()
        inquiry.send(requests(2))
        results = collected(inquiry)
    assert isinstance(results[0], TeacherError)
    assert isinstance(results[1], KeyError)


def test_a_request_that_cancels_itself_keeps_nobody_waiting():
    def reply(request):
        raise asyncio.CancelledError

    with TeacherPool(ScriptedTeacher(reply)) as pool:
        inquiry = pool.inquiry()
        inquiry.send(requests(1))
        [result] = collected(inquiry).values()
    assert isinstance(result, RuntimeError)


def test_cancelled_requests_have_ended_when_cancel_returns():
    ended = []

    class Hanging(ScriptedTeacher):
        async def _answer(self, request):
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(request.prompt)
            return Answer((Choice("never"),))

    with TeacherPool(Hanging(lambda r: ["x"])) as pool:
        inquiry = pool.inquiry()
        inquiry.send(requests(20))
        pool.run(asyncio.sleep(0))
        inquiry.cancel()
        assert len(ended) == 20
        assert inquiry.is_idle
        assert inquiry.collect(wait=True) == []


def test_chat_messages_go_to_the_chat_endpoint():
    teacher = ScriptedTeacher(lambda r: ["x"])
    with TeacherPool(teacher) as pool:
        inquiry = pool.inquiry()
        inquiry.send([(0, Request(({"role": "user", "content": "hi"},), "m"))])
        collected(inquiry)
    assert len(teacher.chats) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_what_is_idle_or_closed_does_nothing(times):
    pool = TeacherPool(ScriptedTeacher(lambda r: ["x"]))
    inquiry = pool.inquiry()
    for _ in range(times):
        inquiry.cancel()
    inquiry.send(requests(1))
    pool.close()
    inquiry.cancel()
    assert inquiry.is_idle
