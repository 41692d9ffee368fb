"""The client against a server that misbehaves in every way we know."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from asking import complete, connected, failure, failure_of, variant
from kfp_sdg.teacher import TeacherOptions, TeacherPool, connect
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool(stub_teacher: StubTeacher) -> Iterator[TeacherPool]:
    with connected(stub_teacher.url) as pool:
        yield pool


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
        failure_of(pool, pool.teacher(None).models())
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
        for error in (failure(pool), failure_of(pool, pool.teacher(None).models())):
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


def test_a_closed_port_is_fatal_and_asks_whether_the_server_runs(stub_teacher):
    with StubTeacher() as gone:
        url = gone.url
    with connected(url) as pool:
        for error in (failure(pool), failure_of(pool, pool.teacher(None).models())):
            assert error.fatal
            assert "is the server running" in str(error)
            assert "waited 0 s for it" in str(error)


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
