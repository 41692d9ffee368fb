"""The teacher's preflight: everything that is wrong, told at once, before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certificates import self_signed
from kfp_sdg.components.teacher.preflight import preflight
from kfp_sdg.engine.needs import BlockNeed
from kfp_sdg.errors import TeacherError
from kfp_sdg.runtime.preflight_checks import inspect_teachers
from kfp_sdg.teacher import TeacherOptions
from replay import RECORDINGS, Replay, recording
from runtime_artifacts import Artifact
from stub_teacher import StubTeacher

LISTING = {
    "object": "list",
    "data": [
        {"id": "mixtral", "owned_by": "vllm", "max_model_len": 8192, "parent": None},
        {"id": "skill-classifier-v3-clm", "parent": "mixtral", "max_model_len": None},
    ],
}


@pytest.fixture
def stub():
    with StubTeacher(models=("mixtral", "skill-classifier-v3-clm")) as teacher:
        teacher.models_body = json.dumps(LISTING)
        yield teacher


def inspected(url, *needs, endpoints=None, **settings):
    options = TeacherOptions(
        url, endpoints=endpoints or {}, max_retries=2, first_delay=0.001, patience_at_start=0.05
    )
    return inspect_teachers(needs, options, **settings)


def found(report, check, subject=None):
    """Return the findings of a check as pairs of state and text."""
    return [
        (finding.state.value, finding.text)
        for finding in report.findings
        if finding.check == check and subject in (None, finding.subject)
    ]


def test_a_teacher_that_has_everything_passes_every_check(stub):
    needs = (
        BlockNeed("gen", model_id="mixtral", max_tokens=2048, prompt_tokens=300),
        BlockNeed("judge", insisted="skill-classifier-v3-clm", max_tokens=100),
    )
    report = inspected(stub.url, *needs)
    assert not report.failed
    assert not report.warnings
    report.raise_failures()
    assert "adapter of mixtral" in found(report, "server")[0][1]
    assert found(report, "context") == [
        (
            "passed",
            "the server has 8,192 tokens; 2,348 tokens are wanted for a prompt and its answer",
        ),
        (
            "passed",
            "the server has 8,192 tokens; 100 tokens are wanted for a prompt and its answer",
        ),
    ]
    assert {body["max_tokens"] for body in stub.requests} == {1}
    assert "The teacher is ready." in report.markdown()


def test_a_model_is_asked_by_the_endpoints_that_the_blocks_will_use(stub):
    needs = (BlockNeed("gen", model_id="mixtral"), BlockNeed("talk", "mixtral", messages=True))
    report = inspected(stub.url, *needs)
    assert [text.split(" by ")[1] for _, text in found(report, "answer")] == [
        "/v1/completions",
        "/v1/chat/completions",
    ]
    assert [call.path for call in stub.calls if call.method == "POST"].count("/v1/completions") == 1


def test_the_runs_chat_format_and_a_server_without_completions_decide_the_endpoint(stub):
    report = inspected(stub.url, BlockNeed("gen", model_id="mixtral"), model_family="chat")
    assert "/v1/chat/completions" in found(report, "answer")[0][1]
    stub.chat_only = True
    report = inspected(stub.url, BlockNeed("gen", model_id="mixtral", formats_itself=True))
    assert "/v1/chat/completions" in found(report, "answer")[0][1]


def test_everything_that_is_wrong_is_told_together(stub):
    needs = (
        BlockNeed("gen", model_id="mixtrall"),
        BlockNeed("judge", model_id="text-classifier-knowledge-v3-clm"),
        BlockNeed("long", model_id="mixtral", max_tokens=9000),
    )
    with pytest.raises(TeacherError) as caught:
        inspected(stub.url, *needs).raise_failures()
    text = str(caught.value)
    assert "found 3 things wrong" in text
    assert "model mixtrall: the server does not serve it (asked for by block gen)" in text
    assert "did you mean 'mixtral'?" in text
    assert "--lora-modules text-classifier-knowledge-v3-clm=" in text
    assert "block 'long' asks for answers of 9,000, which vLLM refuses" in text


@pytest.mark.parametrize(
    ("need", "settings", "state", "words"),
    [
        (BlockNeed("b", max_tokens=8000, prompt_tokens=500), {}, "warning", "cut short"),
        (
            BlockNeed("b", prompt_tokens=8192, max_tokens=9),
            {},
            "failed",
            "of block 'b' alone",
        ),
        (BlockNeed("b"), {"max_num_tokens": 8193}, "failed", "lower max_num_tokens"),
        (BlockNeed("b", max_tokens=9), {"context_length": 8193}, "failed", "the run needs 8,193"),
        (BlockNeed("b", max_tokens=8192), {}, "passed", "8,192"),
    ],
)
def test_a_context_that_is_too_short_fails_where_the_server_would_refuse(
    stub, need, settings, state, words
):
    ((told, text),) = found(inspected(stub.url, need, model_id="mixtral", **settings), "context")
    assert told == state
    assert words in text


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "the server wants an API key"), (403, "the server forbids this")],
)
def test_a_refused_key_is_told_with_what_to_do(stub, status, words):
    stub.fail_often(1.0, status)
    report = inspected(stub.url, BlockNeed("gen", model_id="mixtral"))
    ((state, text),) = found(report, "key")
    assert state == "failed"
    assert words in text
    assert "KFP_SDG_API_KEY" in text


def test_a_refusal_of_istio_is_told_as_such(stub):
    stub.fail_often(1.0, 403)
    stub.fail_next(403, body="RBAC: access denied", times=9)
    ((_, text),) = found(inspected(stub.url, model_id="mixtral"), "key")
    assert "AuthorizationPolicy" in text


def test_a_key_that_the_list_of_models_wants_stops_the_checks_of_that_server(stub):
    stub.api_key = "right"
    report = inspected(stub.url, BlockNeed("gen", model_id="mixtral"))
    assert [finding.check for finding in report.findings] == ["key"]
    assert not stub.requests


@pytest.mark.parametrize("path", ["/v1/v1", "/teacher/v1"])
def test_a_url_beside_the_api_is_told_with_the_right_one(stub, path):
    ((state, text),) = found(inspected(stub.url.removesuffix("/v1") + path), "server")
    assert state == "failed"
    assert text.endswith(f"there is one at {stub.url}: give that")


def test_a_page_for_people_in_the_place_of_an_api_is_told_with_its_title(stub):
    stub.models_body = "<html><head><title>Sign in</title></head></html>"
    ((state, text),) = found(inspected(stub.url), "server")
    assert state == "failed"
    assert "no list of models" in text
    assert "Sign in" in text


def test_a_servers_words_do_not_reach_the_terminal_as_commands(stub):
    stub.models_body = "\x1b]0;owned\x07 café\x1b[2J"
    ((_, text),) = found(inspected(stub.url), "server")
    assert "]0;owned café[2J" in text
    assert text.isprintable()


def test_a_name_without_a_host_and_an_untrusted_certificate_are_told(tmp_path):
    ((state, text),) = found(inspected("http://no-such-host.invalid"), "server")
    assert state == "failed"
    assert "cannot be reached" in text
    with StubTeacher(tls=self_signed(tmp_path)[1]) as tls:
        ((state, text),) = found(inspected(tls.url), "server")
    assert state == "failed"
    assert "SSL_CERT_FILE" in text


def test_a_server_that_speaks_tls_alone_is_told_as_such(tmp_path):
    with StubTeacher(tls=self_signed(tmp_path)[1]) as tls:
        ((state, text),) = found(inspected(tls.url.replace("https", "http")), "server")
    assert state == "failed"
    assert text.endswith("the URL has to begin with https://")


def test_a_server_that_sends_elsewhere_is_told_with_the_place_and_the_key_stays(stub, monkeypatch):
    monkeypatch.setenv("KFP_SDG_API_KEY", "not-for-others")
    with StubTeacher() as other:
        stub.models_status, stub.models_body = 307, ""
        stub.models_headers = {"Location": f"{other.url}/models?session=secret"}
        ((state, text),) = found(inspected(stub.url), "server")
        assert other.calls == []
    assert state == "failed"
    assert f"the server sends elsewhere, to {other.url}/models (GET /models: 307)" in text
    assert "give the teacher's own URL" in text
    assert "secret" not in text


def test_a_server_without_a_list_of_models_is_a_warning(stub):
    stub.lists_models = False
    report = inspected(stub.url, BlockNeed("gen", model_id="mixtral"))
    assert not report.failed
    assert found(report, "server")[0][0] == "warning"
    assert found(report, "answer")[0][0] == "passed"


def test_a_run_without_a_model_needs_a_server_with_just_one(stub):
    ((state, text),) = found(inspected(stub.url, BlockNeed("gen"), BlockNeed("judge")), "model")
    assert state == "failed"
    assert "blocks gen, judge and the run name no model" in text
    assert "mixtral, skill-classifier" in text
    stub.models, stub.models_body = ("only",), None
    assert found(inspected(stub.url, BlockNeed("gen")), "answer", "only")[0][0] == "passed"


def test_further_teachers_are_checked_and_keep_the_blocks_that_name_their_model(stub):
    with StubTeacher(models=("judge",)) as other:
        needs = (BlockNeed("gen"), BlockNeed("rate", model_id="judge"))
        report = inspected(
            stub.url, *needs, model_id="mixtral", endpoints={"judge": other.url, "idle": other.url}
        )
    assert {body["model"] for body in other.requests} == {"judge"}
    assert [finding.subject for finding in report.failed] == ["idle"]


def test_one_server_that_is_away_does_not_hide_what_is_wrong_at_another(stub):
    with StubTeacher() as gone:
        pass
    needs = (BlockNeed("gen", model_id="mixtrall"), BlockNeed("rate", model_id="judge"))
    report = inspected(stub.url, *needs, endpoints={"judge": gone.url})
    assert [finding.check for finding in report.failed] == ["server", "model"]


def test_grammars_are_tried_where_they_are_wanted(stub):
    def obedient(ask):
        return "Kv7" if "Kv7" in ask.body.get("grammar", "") else "anything"

    need = BlockNeed("gen", model_id="mixtral")
    report = inspected(stub.url, need, constrain=True)
    assert found(report, "grammar")[0][0] == "failed"
    assert "leave constrain off" in found(report, "grammar")[0][1]
    with StubTeacher(models=("mixtral",), answer=obedient) as obeys:
        assert found(inspected(obeys.url, need, constrain=True), "grammar")[0][0] == "passed"
    off = BlockNeed("gen", model_id="mixtral", constrain=False)
    assert not found(inspected(stub.url, off, constrain=True), "grammar")


def test_a_server_that_is_coming_up_is_waited_for(stub):
    stub.restart(0.3)
    options = TeacherOptions(stub.url, first_delay=0.01, longest_delay=0.05, patience_at_start=20)
    assert not inspect_teachers([BlockNeed("gen", model_id="mixtral")], options).failed


def test_a_name_without_a_block_is_asked_where_no_chat_format_is_needed(stub, caplog):
    assert (
        "/v1/completions"
        in found(inspected(stub.url, BlockNeed(insisted="mixtral")), "answer")[0][1]
    )
    stub.models, stub.models_body = ("nobody-knows",), None
    assert not inspected(stub.url, BlockNeed(insisted="nobody-knows")).failed
    assert not caplog.records


def test_a_server_that_loads_its_model_is_waited_for(stub):
    from threading import Timer

    stub.models_status = 503
    ready = Timer(0.3, setattr, (stub, "models_status", 200))
    ready.start()
    options = TeacherOptions(stub.url, first_delay=0.01, longest_delay=0.05, patience_at_start=20)
    assert not inspect_teachers([BlockNeed("gen", model_id="mixtral")], options).failed
    ready.join()


def test_which_key_was_taken_is_told_without_it(stub, monkeypatch):
    monkeypatch.setenv("KFP_SDG_API_KEY", "geheim")
    stub.api_key = "geheim"
    report = inspected(stub.url, model_id="mixtral")
    assert found(report, "key") == [("passed", "the one from KFP_SDG_API_KEY was sent")]
    assert "geheim" not in report.markdown()


@pytest.mark.embedded
def test_a_real_server_has_a_context_and_obeys_grammars(embedded_url):
    need = BlockNeed("gen", max_tokens=64, model_family="chat")
    also = BlockNeed("rate", max_tokens=9000, formats_itself=True)
    report = inspected(embedded_url, need, also, constrain=True)
    assert not report.failed
    ((state, text),) = found(report, "context")
    assert state == "warning"  # llama.cpp takes it, and writes until its context is full
    assert "the server has 4,096 tokens; 9,000 tokens are wanted" in text
    assert [state for state, _ in found(report, "grammar")] == ["passed", "passed"]


def run_component(tmp_path, **inputs):
    page = Artifact(str(tmp_path / "page"))
    preflight.python_func(checked_url=str(tmp_path / "url"), preview=page, **inputs)
    return Path(page.path).read_text(), (tmp_path / "url").read_text()


def test_the_component_gives_the_url_that_blocks_go_on_with(stub, tmp_path):
    page, url = run_component(
        tmp_path,
        teacher_url=stub.url.removesuffix("/v1"),
        models=json.dumps(["mixtral", {"block": "judge", "model_id": "mixtral"}]),
    )
    assert url == stub.url
    assert "| passed | answer | mixtral |" in page


def test_the_component_fails_with_one_paragraph_and_leaves_its_page(stub, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_component(tmp_path, teacher_url=stub.url, models='["mixtrall", "b"]')
    out, err = capsys.readouterr()
    assert "preflight: passed: server" in out
    assert err.startswith("error: teacher: the preflight found 2 things wrong:\nerror: 1. model ")
    assert "| failed | model | mixtrall |" in (tmp_path / "page").read_text()
    assert not (tmp_path / "url").exists()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"models": "mixtral"}, "models: is not JSON"),
        ({"models": "[7]"}, "models: 7 is neither a model's name"),
        ({"teacher_url": ""}, "teacher_url: no teacher is named"),
        ({"teacher_url": "teacher:8000"}, "http://teacher:8000"),
    ],
)
def test_wrong_inputs_of_the_component_are_named(tmp_path, capsys, inputs, words):
    with pytest.raises(SystemExit):
        run_component(tmp_path, **{"teacher_url": "http://127.0.0.1:9", **inputs})
    assert words in capsys.readouterr().err


recorded = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside the project")


@pytest.mark.shared
@recorded
@pytest.mark.parametrize(
    ("server", "model", "context"),
    [
        ("vllm", "teacher", "the server has 2,048 tokens"),
        ("llamacpp", "smollm2", "the server has 2,048 tokens"),
        ("llama_cpp_python", "teacher", "the server does not say"),
    ],
)
def test_real_servers_lists_are_understood(server, model, context):
    exchange = recording(server, "comp_basic")
    assert exchange["request"]["path"] == "/v1/completions"
    with Replay(server, "models", "comp_basic") as replay:
        need = BlockNeed("gen", max_tokens=16, formats_itself=True)
        report = inspected(replay.url, need)
    assert context in found(report, "context", model)[0][1]


@pytest.mark.shared
@recorded
def test_llama_cpp_which_answers_for_any_name_is_told_as_such():
    with Replay("llamacpp", "models", "comp_basic") as replay:
        report = inspected(replay.url, BlockNeed("gen", model_id="mixtral"))
    assert "set model_id to 'smollm2'" in found(report, "model")[0][1]


@pytest.mark.shared
@recorded
def test_an_adapter_of_vllm_has_its_models_context():
    with Replay("vllm", "models_after_lora_load", "comp_basic") as replay:
        need = BlockNeed("gen", model_id="adapter-x", max_tokens=4000, formats_itself=True)
        report = inspected(replay.url, need)
    assert "the server has 2,048 tokens" in found(report, "context", "adapter-x")[0][1]
