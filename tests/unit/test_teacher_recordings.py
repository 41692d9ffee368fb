"""The client against what vLLM, llama.cpp and llama-cpp-python really answer."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher import Answer, Request, Teacher, TeacherOptions, TeacherPool, connect
from kfp_sdg.teacher.choices import ChoicesPerRequest
from kfp_sdg.teacher.transport import Reply
from replay import RECORDINGS, Replay, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside the project"),
]

SERVERS = ("vllm", "llamacpp", "llama_cpp_python")


def single_prompt_cases(*, status: int) -> list[Any]:
    """Return the recorded requests that our client could have sent."""
    cases = []
    for path in sorted(RECORDINGS.glob("*/*.json")):
        exchange = json.loads(path.read_text())
        body = exchange["request"]["body"]
        if (
            exchange["response"]["status"] == status
            and exchange["request"]["path"].endswith("/completions")
            and isinstance(body, dict)
            and not body.get("stream")
            and (isinstance(body.get("prompt"), str) or body.get("messages"))
        ):
            cases.append(
                pytest.param(path.parent.name, path.stem, id=f"{path.parent.name}-{path.stem}")
            )
    return cases


def request_of(exchange: dict[str, Any], **changed: Any) -> Request:
    body = {"model": "teacher", **exchange["request"]["body"], **changed}
    prompt = tuple(body.pop("messages", ())) or body.pop("prompt")
    return Request(prompt, body.pop("model"), body.pop("n", 1) or 1, body, scope="block", index=7)


def refused(pool: TeacherPool, request: Request) -> TeacherError:
    with pytest.raises(TeacherError) as caught:
        ask(pool, request)
    return caught.value


def ask(pool: TeacherPool, request: Request) -> Answer:
    teacher = pool.teacher(request.model)
    asking = teacher.complete if isinstance(request.prompt, str) else teacher.chat
    return pool.run(asking(request))


@contextmanager
def replaying(
    server: str, *cases: str, patience: float = 60.0
) -> Iterator[tuple[Replay, TeacherPool]]:
    with Replay(server, *cases) as replay:
        options = TeacherOptions(
            replay.url,
            max_retries=2,
            first_delay=0.001,
            patience=patience,
            patience_at_start=patience,
        )
        with connect(options, environ={}) as pool:
            yield replay, pool


@pytest.mark.parametrize(("server", "case"), single_prompt_cases(status=200))
def test_every_recorded_answer_is_read_with_its_choices_in_order(server, case):
    exchange = recording(server, case)
    request = request_of(exchange)
    with replaying(server, case) as (replay, pool):
        answer = ask(pool, request)
    sent, recorded = dict(replay.bodies[0]), exchange["response"]["json"]
    texts = [c.get("text", c.get("message", {}).get("content")) for c in recorded["choices"]]
    assert [c.text for c in answer.choices[: len(texts)]] == texts
    assert len(answer.choices) == request.n
    assert answer.choices[0].finish_reason == recorded["choices"][0]["finish_reason"]
    if len(texts) == request.n:
        assert answer.usage.prompt_tokens == recorded["usage"]["prompt_tokens"]
        assert answer.usage.completion_tokens == recorded["usage"]["completion_tokens"]
    assert sent["model"] == request.model
    assert sent.get("n", 1) == request.n
    assert {k: sent[k] for k in request.options} == request.options


@pytest.mark.parametrize(("server", "case"), single_prompt_cases(status=400))
def test_a_refused_request_is_not_repeated_and_its_own_fault_only(server, case):
    exchange = recording(server, case)
    with replaying(server, case) as (replay, pool):
        error = refused(pool, request_of(exchange))
    assert len(replay.bodies) == 1
    assert not error.fatal
    assert error.status == 400
    words = exchange["response"]["json"]["error"]["message"].split()[:5]
    assert " ".join(words) in str(error)
    assert "block/7" in str(error)


def test_vllm_refuses_a_wrong_key_with_a_string_and_it_is_fatal():
    with replaying("vllm", "auth_missing") as (replay, pool):
        error = refused(pool, request_of(recording("vllm", "auth_missing")))
    assert error.fatal
    assert error.server_message == "Unauthorized"
    assert "KFP_SDG_API_KEY_FILE" in str(error)
    assert len(replay.bodies) == 1


@pytest.mark.parametrize("case", ["err_bad_model", "err_bad_model_chat"])
def test_a_model_that_vllm_does_not_have_is_fatal_and_the_names_it_has_are_shown(case):
    with replaying("vllm", case) as (replay, pool):
        error = refused(pool, request_of(recording("vllm", case)))
    assert "'no-such-model'" in str(error)
    assert "Valid aliases: teacher, teacher-alias." in str(error)
    assert error.fatal
    assert len(replay.bodies) == 1


def test_a_full_queue_is_asked_again_until_there_is_room():
    with replaying("vllm", "err_queue_full", "err_queue_full", "comp_basic") as (replay, pool):
        answer = ask(pool, request_of(recording("vllm", "comp_basic")))
    assert answer.choices[0].text == " Paris.\n\nThe answer is:"
    assert len(replay.bodies) == 3


def test_a_queue_that_stays_full_gives_up_the_row_with_the_servers_words():
    with replaying("vllm", "err_queue_full", patience=0.1) as (replay, pool):
        error = refused(pool, request_of(recording("vllm", "comp_basic")))
    assert "waited 0 s" in str(error)
    assert "engine is currently busy" in str(error)
    assert not error.fatal
    assert len(replay.bodies) >= 2


def test_vllm_clamps_an_answer_to_its_context_and_says_length():
    case = "err_prompt_plus_max_tokens"
    with replaying("vllm", case) as (_, pool):
        answer = ask(pool, request_of(recording("vllm", case)))
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.prompt_tokens + answer.usage.completion_tokens == 2048


@pytest.mark.parametrize(
    ("server", "case"),
    [(server, "comp_logprobs") for server in SERVERS]
    + [("vllm", "chat_logprobs"), ("llamacpp", "chat_logprobs")],
)
def test_logprobs_read_the_same_from_both_shapes(server, case):
    with replaying(server, case) as (_, pool):
        (choice,) = ask(pool, request_of(recording(server, case))).choices
    assert "".join(token.token for token in choice.logprobs) == choice.text
    for token in choice.logprobs:
        assert (token.token, token.logprob) in token.top
        assert len(token.top) == 2
        assert token.top[0][1] >= token.top[1][1]


@pytest.mark.parametrize("case", ["comp_n3", "chat_n3"])
def test_a_server_that_ignores_n_is_asked_again_and_that_is_remembered(case):
    request = request_of(recording("llama_cpp_python", case))
    with replaying("llama_cpp_python", case) as (replay, pool):
        first, second = ask(pool, request), ask(pool, request)
    assert len(first.choices) == len(second.choices) == 3
    assert [body.get("n") for body in replay.bodies] == [3, None, None, None, None, None]
    seeds = [body["seed"] for body in replay.bodies]
    start = request.options["seed"]
    assert seeds[0] == start
    assert sorted(seeds[1:3]) == [start + 1, start + 2]
    assert sorted(seeds[3:]) == [start, start + 1, start + 2]


def test_the_largest_n_is_read_out_of_llama_cpps_refusal():
    refusal = recording("llamacpp", "err_n0")["response"]
    most = ChoicesPerRequest()
    assert most.learn_from_refusal(Reply(400, json.dumps(refusal["json"]).encode()), asked=20)
    assert most.parts(range(20)) == [range(8), range(8, 16), range(16, 20)]


def test_a_refusal_of_greedy_sampling_is_not_taken_for_a_limit_of_n():
    refusal = recording("vllm", "comp_n3_temp0")["response"]
    most = ChoicesPerRequest()
    assert not most.learn_from_refusal(Reply(400, json.dumps(refusal["json"]).encode()), asked=3)
    assert most.parts(range(3)) == [range(3)]


@pytest.mark.parametrize(
    ("server", "case", "names"),
    [
        ("vllm", "models", ("teacher",)),
        ("vllm", "models_after_lora_load", ("teacher", "adapter-x")),
        ("llamacpp", "models", ("smollm2",)),
        ("llama_cpp_python", "models", ("teacher",)),
    ],
)
def test_models_and_adapters_are_listed_once_each(server, case, names):
    with replaying(server, case) as (replay, pool):
        teacher: Teacher = pool.teacher(None)
        assert pool.run(teacher.models()) == names
        pool.run(teacher.models())
    assert len(replay.headers) == 1


def test_a_server_without_a_list_of_models_lists_none():
    with replaying("vllm", "comp_basic") as (_, pool):
        assert pool.run(pool.teacher(None).models()) == ()


@pytest.mark.parametrize("server", ["vllm", "llamacpp"])
def test_completions_are_found_without_asking_for_a_generation(server):
    with replaying(server, "err_get_on_post", "err_malformed_json") as (replay, pool):
        assert pool.run(pool.teacher(None).has_completions())
        assert pool.run(pool.teacher(None).has_completions())
    assert replay.bodies in ([], [[]])  # nothing, or the empty list that nothing can be made of
    assert len(replay.headers) <= 2


def test_a_server_with_chat_alone_has_no_completions():
    with replaying("vllm", "chat_basic") as (_, pool):
        assert not pool.run(pool.teacher(None).has_completions())
