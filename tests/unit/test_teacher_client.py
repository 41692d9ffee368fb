"""The client against a server that misbehaves in every way we know."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher import Answer, Request, TeacherOptions, TeacherPool, connect
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = Request("Say hello.", "stub-model", options={"max_tokens": 9}, scope="greet", index=17)
CHAT = Request(({"role": "user", "content": "Say hello."},), "stub-model", options={})


@contextmanager
def connected(
    url: str, *, environ: dict[str, str] | None = None, **options: Any
) -> Iterator[TeacherPool]:
    quick = {"max_retries": 3, "first_delay": 0.001, **options}
    with connect(TeacherOptions(url, **quick), environ=environ or {}) as pool:
        yield pool


@pytest.fixture
def pool(stub_teacher: StubTeacher) -> Iterator[TeacherPool]:
    with connected(stub_teacher.url) as pool:
        yield pool


def complete(pool: TeacherPool, request: Request = HELLO) -> Answer:
    return pool.run(pool.teacher(request.model).complete(request))


def failure(pool: TeacherPool, request: Request = HELLO) -> TeacherError:
    with pytest.raises(TeacherError) as caught:
        complete(pool, request)
    return caught.value


def variant(**changes: Any) -> Request:
    fields = {"prompt": HELLO.prompt, "model": HELLO.model, "options": HELLO.options, **changes}
    return Request(**fields)


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


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_asked_again(stub_teacher, pool, status):
    stub_teacher.fail_next(status, times=2)
    assert complete(pool).choices
    assert len(stub_teacher.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "raw", "body": b""},
        {"kind": "raw", "body": b'{"choices": [{"te'},
        {"kind": "raw", "body": b'{"choices": [{"index": 0, "text": "\xff\xfe"}]}'},
        {"kind": "raw", "body": "<html><title>Sign in</title></html>"},
        {"kind": "raw", "body": {"choices": []}},
        {"kind": "raw", "body": {"choices": [None]}},
        {"kind": "raw", "body": {"choices": [{"logprobs": {"content": [{}]}, "text": "x"}]}},
        {"kind": "raw", "body": {"error": {"message": "injected"}}},
        {"kind": "raw", "body": [1]},
    ],
    ids=str,
)
def test_an_answer_that_is_none_is_asked_again_and_then_rejects_its_row(stub_teacher, pool, fault):
    stub_teacher.fail_next(times=2, **fault)
    assert complete(pool).choices
    stub_teacher.fail_next(times=4, **fault)
    error = failure(pool)
    assert not error.fatal
    assert "after 4 tries" in str(error)
    assert len(stub_teacher.requests) == 3 + 4


def test_a_server_that_hangs_is_given_up_after_the_timeout(stub_teacher):
    stub_teacher.fail_next(kind="hang", times=2)
    with connected(stub_teacher.url, timeout=0.2, max_retries=1) as pool:
        error = failure(pool)
        assert "did not answer in time" in str(error)
        assert not error.fatal
        assert complete(pool).choices


def test_a_request_is_asked_at_most_twice_again_after_a_time_out(stub_teacher):
    stub_teacher.fail_next(503, times=2)
    stub_teacher.fail_next(kind="hang", times=3)
    with connected(stub_teacher.url, timeout=0.2, max_retries=8) as pool:
        error = failure(pool)
        assert "did not answer in time" in str(error)
        assert "after 5 tries" in str(error)
        assert len(stub_teacher.requests) == 5


def test_each_outage_is_warned_of_once_by_what_happened_where(stub_teacher, caplog, monkeypatch):
    monkeypatch.setattr("kfp_sdg.teacher.outage._QUIET_SECONDS", 0.0)
    with connected(stub_teacher.url) as pool:
        complete(pool)
        assert caplog.messages == []
        for status in (503, 429):
            stub_teacher.fail_next(status, times=3)
            complete(pool)
    where = f"teacher at {stub_teacher.url}"
    assert caplog.messages == [
        f"{where}: the server failed (POST /completions: 503); trying again",
        f"{where}: the server asked to come back later (POST /completions: 429); trying again",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_server_that_keeps_failing_now_and_then_is_warned_of_once_in_a_while(
    stub_teacher, pool, caplog
):
    for _ in range(5):
        stub_teacher.fail_next(429)
        complete(pool)
    assert len(caplog.messages) == 1


def test_waiting_for_a_server_that_is_not_there_is_warned_of(caplog):
    with StubTeacher() as gone:
        url = gone.url
    with connected(url) as pool:
        _failure_of(pool, pool.teacher(None).models())
    (message,) = caplog.messages
    assert url in message
    assert "the server cannot be reached" in message


@pytest.mark.parametrize("wish", ["0.01", "Sun, 22 Nov 2020 11:00:00 GMT"])
def test_a_wish_for_a_later_try_is_granted(stub_teacher, pool, wish):
    stub_teacher.fail_next(429, retry_after=wish)
    assert complete(pool).choices


def test_a_wish_for_an_hour_ends_the_request_with_the_servers_words(stub_teacher, pool):
    stub_teacher.fail_next(429, retry_after=3600, body={"error": {"message": "come tomorrow"}})
    assert "come tomorrow" in str(failure(pool))
    assert len(stub_teacher.requests) == 1


@pytest.mark.parametrize("status", [402, 429])
def test_an_empty_account_stops_the_run_at_once(stub_teacher, pool, status):
    stub_teacher.fail_next(status, body={"error": {"message": "pay", "code": "insufficient_quota"}})
    assert failure(pool).fatal
    assert len(stub_teacher.requests) == 1


@pytest.mark.parametrize(("status", "tries"), [(500, 4), (400, 1), (413, 1), (422, 1)])
def test_a_prompt_that_always_fails_rejects_its_row_only(stub_teacher, pool, status, tries):
    stub_teacher.poison = {"hemlock": status}
    error = failure(pool, variant(prompt="Taste the hemlock.", scope="taste", index=3))
    assert not error.fatal
    assert error.status == status
    assert error.server_message == "poisoned prompt"
    assert "taste/3" in str(error)
    assert stub_teacher.url in str(error)
    assert len(stub_teacher.requests) == tries
    assert complete(pool).choices


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"error": {"message": "too long", "code": 400}}, "too long"),
        ({"detail": "Bad thing"}, "Bad thing"),
        ({"detail": [{"msg": "field required"}, {"msg": "not a list"}]}, "field required; not a"),
        ({"message": "plain message"}, "plain message"),
        ("upstream connect error", "upstream connect error"),
        ("<html><head><title>413 Too Large</title></head></html>", "413 Too Large"),
        ({"error": {"message": "x" * 5000}}, "x" * 600 + "…"),
    ],
    ids=str,
)
def test_the_servers_words_are_found_wherever_they_stand(stub_teacher, pool, body, words):
    stub_teacher.fail_next(400, body=body)
    error = failure(pool)
    assert words in str(error)
    assert len(str(error)) < 1000


@pytest.mark.parametrize("body", [{}, {"error": None}, [], "", b"\xff\x00"], ids=str)
def test_a_refusal_without_words_is_still_told(stub_teacher, pool, body):
    stub_teacher.fail_next(400, body=body)
    assert "POST /completions: 400" in str(failure(pool))


def test_a_wrong_key_is_fatal_says_where_it_came_from_and_is_not_shown(stub_teacher):
    stub_teacher.api_key = "right"
    with connected(stub_teacher.url, environ={"OPENAI_API_KEY": "wrong-geheim"}) as pool:
        for error in (failure(pool), _failure_of(pool, pool.teacher(None).models())):
            assert error.fatal
            assert error.status == 401
            assert "refused the key from OPENAI_API_KEY" in str(error)
            assert "set KFP_SDG_API_KEY" in str(error)
            assert "geheim" not in str(error)
    assert len(stub_teacher.calls) == 2


def test_a_server_that_forbids_everything_is_fatal(stub_teacher, pool):
    pool.run(pool.teacher(None).models())
    stub_teacher.fail_next(403)
    error = failure(pool)
    assert error.fatal
    assert "set KFP_SDG_API_KEY" in str(error)


def test_a_prompt_that_a_server_forbids_after_others_rejects_its_row_only(stub_teacher, pool):
    stub_teacher.poison = {"hemlock": 403}
    complete(pool)
    error = failure(pool, variant(prompt="Taste the hemlock."))
    assert not error.fatal
    assert error.status == 403
    assert "poisoned prompt" in str(error)
    assert "KEY" not in str(error)
    assert complete(pool).choices


def test_what_one_server_answered_says_nothing_about_another(stub_teacher):
    with StubTeacher(models=("judge",), poison={"hello": 403}) as judge:
        options = TeacherOptions(stub_teacher.url, endpoints={"judge": judge.url})
        with connect(options, environ={}) as pool:
            complete(pool)
            assert failure(pool, variant(model="judge")).fatal


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


def test_a_closed_port_is_fatal_and_asks_whether_the_server_runs(stub_teacher):
    with StubTeacher() as gone:
        url = gone.url
    with connected(url) as pool:
        for error in (failure(pool), _failure_of(pool, pool.teacher(None).models())):
            assert error.fatal
            assert "is the server running" in str(error)
            assert "after 4 tries" in str(error)


def test_an_unknown_host_is_fatal_and_named():
    with connected("http://no-such-host.invalid:8000") as pool:
        error = failure(pool)
    assert error.fatal
    assert "no-such-host.invalid" in str(error)


def test_plain_http_behind_an_https_url_is_told_at_once(stub_teacher):
    with connected(stub_teacher.url.replace("http:", "https:")) as pool:
        error = failure(pool)
    assert error.fatal
    assert "does the server speak TLS" in str(error)
    assert "tries" not in str(error)


def test_a_wrong_path_is_fatal_and_doubts_the_url(stub_teacher):
    with connected(f"{stub_teacher.url}/elsewhere") as pool:
        error = failure(pool)
    assert error.fatal
    assert "is the URL right" in str(error)
    assert len(stub_teacher.calls) == 1


def test_a_list_of_models_that_is_none_doubts_the_url(stub_teacher):
    stub_teacher.models_body = "<html><title>Dashboard</title></html>"
    with connected(stub_teacher.url) as pool:
        error = _failure_of(pool, pool.teacher(None).models())
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


def _failure_of(pool: TeacherPool, asking: Any) -> TeacherError:
    with pytest.raises(TeacherError) as caught:
        pool.run(asking)
    return caught.value
