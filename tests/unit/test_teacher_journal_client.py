"""The teacher with a journal: what was answered once is not asked for again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.errors import StorageError, TeacherError
from kfp_sdg.teacher import Answer, Choice, Request, TeacherOptions, Usage, connect
from kfp_sdg.teacher.journal import Keys, open_journal
from kfp_sdg.teacher.statistics import RequestStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kfp_sdg.teacher import TeacherPool
    from stub_answers import Ask
    from stub_teacher import StubTeacher

QUICK = {"max_retries": 2, "first_delay": 0.001}


@contextmanager
def connected(stub: StubTeacher, folder: Path, **settings: object) -> Iterator[TeacherPool]:
    """Yield a pool with a journal; forget what the stub was asked before."""
    stub.reset()
    options = TeacherOptions(stub.url, **QUICK, **settings)
    with open_journal(folder) as journal, connect(options, environ={}, journal=journal) as pool:
        yield pool


def request(prompt: str = "Say hello.", n: int = 1, **options: object) -> Request:
    """Return a request with the key that it has in a run of its own."""
    asked = Request(prompt, "stub-model", n, {"max_tokens": 9, **options}, "gen", 17)
    return replace(asked, key=Keys("gen").of(asked), statistics=RequestStatistics())


def ask(pool: TeacherPool, asked: Request) -> Answer:
    teacher = pool.teacher(asked.model)
    chats = not isinstance(asked.prompt, str)
    return pool.run(teacher.chat(asked) if chats else teacher.complete(asked))


def sizes(stub: StubTeacher) -> list[int]:
    """Return the ``n`` of every request that came."""
    return [body.get("n", 1) for body in stub.requests]


def break_down_after(stub: StubTeacher, answers: int) -> None:
    """Let the server refuse every prompt once it has given so many answers."""
    texts, write = 0, stub._answer

    def answer(asked: Ask) -> str | None:
        nonlocal texts
        texts += 1
        if texts == answers:
            stub.poison = {"": 400}
        return write(asked)

    stub._answer = answer


def test_an_answer_of_an_earlier_run_is_the_same_and_costs_nothing(stub_teacher, tmp_path):
    with connected(stub_teacher, tmp_path) as pool:
        first = ask(pool, request(n=3))
    with connected(stub_teacher, tmp_path) as pool:
        again = request(n=3)
        second = ask(pool, again)
    assert stub_teacher.requests == []
    assert second == Answer(first.choices, Usage())
    assert first.usage.requests == 1
    assert (again.statistics.journal_hits, again.statistics.usage) == (1, Usage())


def test_chats_are_kept_like_completions(stub_teacher, tmp_path):
    messages = ({"role": "user", "content": "Say hello."},)
    with connected(stub_teacher, tmp_path) as pool:
        first = ask(pool, request(messages))
    with connected(stub_teacher, tmp_path) as pool:
        assert ask(pool, request(messages)).choices == first.choices
        assert stub_teacher.requests == []
        ask(pool, request())
        assert len(stub_teacher.requests) == 1  # the same text is another question


def test_logprobs_are_kept(stub_teacher, tmp_path):
    with connected(stub_teacher, tmp_path) as pool:
        first = ask(pool, request(logprobs=2))
    assert first.choices[0].logprobs
    with connected(stub_teacher, tmp_path) as pool:
        assert ask(pool, request(logprobs=2)).choices == first.choices


def test_an_answer_without_text_is_kept_too(stub_teacher, tmp_path):
    stub_teacher._answer = lambda asked: None
    with connected(stub_teacher, tmp_path) as pool:
        ask(pool, request())
    with connected(stub_teacher, tmp_path) as pool:
        assert ask(pool, request()).choices == (Choice(None, "stop"),)
    assert stub_teacher.requests == []


def test_a_request_without_a_key_passes_by_the_journal(stub_teacher, tmp_path):
    for _ in range(2):
        with connected(stub_teacher, tmp_path) as pool:
            ask(pool, replace(request(), key=b""))
            assert len(stub_teacher.requests) == 1
            assert pool.journal.kept == 0


def test_failures_are_not_kept(stub_teacher, tmp_path):
    stub_teacher.poison = {"hello": 400}
    with connected(stub_teacher, tmp_path) as pool, pytest.raises(TeacherError):
        ask(pool, request())
    stub_teacher.poison = {}
    with connected(stub_teacher, tmp_path) as pool:
        assert ask(pool, request()).choices[0].text
        assert len(stub_teacher.requests) == 1


def test_only_the_choices_that_are_missing_are_asked_for(stub_teacher, tmp_path):
    asked = request(n=10)
    with open_journal(tmp_path) as journal:
        for first, texts in {2: "cd", 6: "g", 9: "j"}.items():
            journal.keep(asked.key, first, Answer(tuple(Choice(t, "stop") for t in texts)))
    with connected(stub_teacher, tmp_path) as pool:
        answer = ask(pool, asked)
    assert sorted(sizes(stub_teacher)) == [2, 2, 2]
    texts = [choice.text for choice in answer.choices]
    assert (texts[2:4], texts[6], texts[9]) == (["c", "d"], "g", "j")
    assert len(texts) == 10
    assert answer.usage.requests == 3
    assert asked.statistics.journal_hits == 0  # the server was asked
    with connected(stub_teacher, tmp_path) as pool:
        assert [choice.text for choice in ask(pool, request(n=10)).choices] == texts
    assert stub_teacher.requests == []


def test_seeds_of_missing_choices_are_those_they_would_have_had(stub_teacher, tmp_path):
    asked = request(n=4, seed=100)
    with open_journal(tmp_path) as journal:
        journal.keep(asked.key, 0, Answer((Choice("a"), Choice("b"))))
    with connected(stub_teacher, tmp_path) as pool:
        ask(pool, asked)
    assert [(body["seed"], body["n"]) for body in stub_teacher.requests] == [(102, 2)]


def test_a_server_that_gives_one_choice_per_request_is_asked_for_the_rest_alone(
    stub_teacher, tmp_path
):
    """As llama.cpp: the run is cut after four of ten answers, and the next one goes on."""
    stub_teacher.ignore_n = True
    with connected(stub_teacher, tmp_path, max_concurrency=1) as pool:
        break_down_after(stub_teacher, 4)
        with pytest.raises(TeacherError):
            ask(pool, request(n=10, seed=1))
    stub_teacher.poison = {}
    with connected(stub_teacher, tmp_path, max_concurrency=1) as pool:
        answer = ask(pool, request(n=10, seed=1))
        assert [body["seed"] for body in stub_teacher.requests] == [5, 6, 7, 8, 9, 10]
    assert answer.usage.requests == 6
    with connected(stub_teacher, tmp_path / "undisturbed") as pool:
        assert ask(pool, request(n=10, seed=1)).choices == answer.choices


def test_a_server_with_a_largest_n_is_asked_for_the_rest_in_parts_of_it(stub_teacher, tmp_path):
    stub_teacher.max_n = 4
    asked = request(n=10)
    with open_journal(tmp_path) as journal:
        journal.keep(asked.key, 0, Answer((Choice("a"),)))
    with connected(stub_teacher, tmp_path) as pool:
        answer = ask(pool, asked)
    assert len(answer.choices) == 10
    assert sizes(stub_teacher) == [9, 4, 4, 1]
    assert answer.choices[0] == Choice("a")


def test_an_answer_is_kept_before_its_block_sees_it(stub_teacher, tmp_path):
    with connected(stub_teacher, tmp_path) as pool:
        pool.run(_ask_and_look(pool, request()))


async def _ask_and_look(pool: TeacherPool, asked: Request) -> None:
    answer = await pool.teacher(asked.model).complete(asked)
    assert pool.journal.find(asked.key) == {0: answer}


def test_a_journal_that_cannot_be_written_stops_the_request(stub_teacher, tmp_path):
    with connected(stub_teacher, tmp_path) as pool:
        pool.journal.close()
        with pytest.raises(StorageError, match="journal is closed"):
            ask(pool, replace(request(), key=request("never asked").key))
