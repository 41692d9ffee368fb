"""The client: what is sent, what is read, how many at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from asking import CHAT, complete, connected, failure, failure_of, variant
from kfp_sdg.teacher import Answer, Request, TeacherPool
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool(stub_teacher: StubTeacher) -> Iterator[TeacherPool]:
    with connected(stub_teacher.url) as pool:
        yield pool


def test_completions_and_chat_are_answered_by_their_own_endpoints(stub_teacher, pool):
    text = complete(pool).choices[0]
    message = pool.run(pool.teacher(None).chat(CHAT)).choices[0]
    assert text.text == message.text
    assert [call.path for call in stub_teacher.calls] == ["/v1/completions", "/v1/chat/completions"]
    assert stub_teacher.requests[0] == {
        "model": "stub-model",
        "prompt": "Say hello.",
        "max_tokens": 9,
    }
    assert stub_teacher.requests[1]["messages"] == [{"role": "user", "content": "Say hello."}]


def test_settings_pass_through_extra_body_is_merged_and_streams_are_not_asked_for(
    stub_teacher, pool
):
    options = {
        "max_tokens": 9,
        "temperature": 0.3,
        "top_k": 5,
        "stop": ["\n"],
        "stream": True,
        "extra_body": {"grammar": "root ::= [a]", "min_p": 0.1},
    }
    complete(pool, variant(options=options))
    assert stub_teacher.requests[0] == {
        "model": "stub-model",
        "prompt": "Say hello.",
        "max_tokens": 9,
        "temperature": 0.3,
        "top_k": 5,
        "stop": ["\n"],
        "grammar": "root ::= [a]",
        "min_p": 0.1,
    }


def test_the_right_key_is_sent(stub_teacher):
    stub_teacher.api_key = "right"
    with connected(stub_teacher.url, environ={"KFP_SDG_API_KEY": "right"}) as pool:
        assert complete(pool).choices


def test_the_key_is_in_no_log_no_error_and_no_representation(stub_teacher, caplog):
    caplog.set_level(logging.DEBUG)
    with connected(stub_teacher.url, environ={"KFP_SDG_API_KEY": "geheim-123"}) as pool:
        teacher = pool.teacher(None)
        pool.run(teacher.models())
        complete(pool)
        stub_teacher.fail_next(401, body={"error": "Incorrect API key provided: geheim-123"})
        error = failure(pool)
        shown = [str(error), repr(error), repr(teacher), repr(vars(teacher)), caplog.text]
        # Long enough to be cut within the key.
        for length in range(588, 601):
            stub_teacher.fail_next(400, body={"error": "x" * length + "geheim-123"})
            shown.append(str(failure(pool)))
    assert stub_teacher.calls[-1].headers["Authorization"] == "Bearer geheim-123"
    assert not [text for text in shown if "gehe" in text]


def test_a_list_of_models_that_is_none_doubts_the_url(stub_teacher):
    stub_teacher.models_body = "<html><title>Dashboard</title></html>"
    with connected(stub_teacher.url) as pool:
        error = failure_of(pool, pool.teacher(None).models())
    assert error.fatal
    assert "Dashboard" in str(error)


def test_a_server_without_a_list_of_models_or_completions_works_through_chat(stub_teacher, pool):
    stub_teacher.lists_models = False
    stub_teacher.chat_only = True
    teacher = pool.teacher(None)
    assert pool.run(teacher.models()) == ()
    assert not pool.run(teacher.has_completions())
    assert pool.run(teacher.chat(CHAT)).choices


def test_nothing_is_generated_to_learn_what_a_server_has(stub_teacher, pool):
    teacher = pool.teacher(None)
    for _ in range(2):
        assert pool.run(teacher.models()) == ("stub-model",)
        assert pool.run(teacher.has_completions())
    assert stub_teacher.requests == []
    assert len(stub_teacher.calls) == 2


def test_n_above_the_slots_is_split_merged_in_order_and_remembered(stub_teacher, pool):
    stub_teacher.max_n = 4
    request = variant(n=10, options={"max_tokens": 9, "seed": 100})
    first = complete(pool, request)
    asked = sorted((body.get("seed"), body.get("n")) for body in stub_teacher.requests)
    assert asked == [(100, 4), (100, 10), (104, 4), (108, 2)]
    assert len({choice.text for choice in first.choices}) == 10
    assert first.usage.requests == 3
    stub_teacher.reset()
    assert complete(pool, request).choices == first.choices
    assert len(stub_teacher.requests) == 3


def test_a_server_that_ignores_n_gives_all_the_same(stub_teacher, pool):
    stub_teacher.ignore_n = True
    answer = complete(pool, variant(n=3, options={"seed": 1}))
    assert len({choice.text for choice in answer.choices}) == 3


def test_choices_that_are_missing_once_are_asked_for_without_giving_up_on_n(stub_teacher, pool):
    two = {"choices": [{"index": 0, "text": "a"}, {"index": 1, "text": "b"}]}
    stub_teacher.fail_next(kind="raw", body=two)
    answer = complete(pool, variant(n=4))
    assert [choice.text for choice in answer.choices[:2]] == ["a", "b"]
    assert len(answer.choices) == 4
    complete(pool, variant(n=4))
    assert [body.get("n") for body in stub_teacher.requests] == [4, None, None, 4]


def test_more_choices_than_asked_for_are_cut_off(stub_teacher, pool):
    three = {"choices": [{"index": i, "text": str(i)} for i in range(3)]}
    stub_teacher.fail_next(kind="raw", body=three)
    assert [choice.text for choice in complete(pool, variant(n=2)).choices] == ["0", "1"]


def test_choices_out_of_order_are_put_in_order(stub_teacher, pool):
    in_order = complete(pool, variant(n=5)).choices
    stub_teacher.reverse_choices = True
    assert complete(pool, variant(n=5)).choices == in_order


def test_a_null_text_is_none_and_missing_usage_is_nothing(stub_teacher, pool):
    stub_teacher.fail_next(kind="raw", body={"choices": [{"text": None, "finish_reason": "stop"}]})
    answer = complete(pool)
    assert answer.choices[0].text is None
    assert (answer.usage.requests, answer.usage.prompt_tokens) == (1, 0)


def test_an_answer_of_ten_megabytes_arrives_whole(stub_teacher, pool):
    text = "long " * 2_000_000
    stub_teacher.fail_next(kind="raw", body={"choices": [{"text": text}]})
    assert complete(pool).choices[0].text == text


async def _many(pool: TeacherPool, models: list[str]) -> list[Answer]:
    requests = [(m, Request(f"Question {i}", m)) for i, m in enumerate(models)]
    return await asyncio.gather(*(pool.teacher(m).complete(r) for m, r in requests))


def test_no_more_requests_are_in_flight_than_allowed_and_all_places_are_used(stub_teacher):
    stub_teacher.latency = 0.02
    stub_teacher.fail_next(503, times=5)
    with connected(stub_teacher.url, max_concurrency=7, max_retries=9) as pool:
        answers = pool.run(_many(pool, ["stub-model"] * 60))
    assert len({answer.choices[0].text for answer in answers}) == 60
    assert stub_teacher.max_in_flight == 7


def test_teachers_of_one_run_share_the_limit_and_each_model_goes_to_its_own(stub_teacher):
    stub_teacher.latency = 0.02
    with StubTeacher(models=("judge",), latency=0.02) as judge:
        options = {"endpoints": {"judge": judge.url}, "max_concurrency": 4}
        with connected(stub_teacher.url, **options) as pool:
            pool.run(_many(pool, ["stub-model", "judge"] * 20))
    assert len(stub_teacher.requests) == len(judge.requests) == 20
    assert stub_teacher.max_in_flight <= 4
    assert judge.max_in_flight <= 4


def test_a_failed_part_ends_the_others_and_frees_their_places(stub_teacher):
    stub_teacher.max_n = 1
    with connected(stub_teacher.url, max_concurrency=2) as pool:
        complete(pool, variant(n=2))
        stub_teacher.fail_next(400)
        stub_teacher.fail_next(kind="hang", times=2)
        failure(pool, variant(n=3))
        stub_teacher.reset()
        assert len(complete(pool, variant(n=4)).choices) == 4
