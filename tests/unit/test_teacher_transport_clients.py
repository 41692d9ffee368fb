"""Clients of the openai package that users bring along, and that nobody else pays for."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

from asking import complete, failure, variant
from asking import no_proxy_of_this_machine as no_proxy_of_this_machine
from certificates import self_signed
from kfp_sdg.teacher import connect_client
from stub_teacher import StubTeacher


def test_of_a_synchronous_client_the_settings_are_taken_over(stub_teacher):
    import openai

    stub_teacher.api_key = "right"
    client = openai.OpenAI(
        base_url=stub_teacher.url,
        api_key="right",
        default_headers={"X-Team": "sdg"},
        organization="org",
    )
    with connect_client(client) as pool:
        assert complete(pool).choices
    headers = {name.lower(): value for name, value in stub_teacher.calls[0].headers.items()}
    assert headers["x-team"] == "sdg"
    assert headers["openai-organization"] == "org"


def test_a_clients_key_is_not_shown(stub_teacher):
    import openai

    client = openai.AsyncOpenAI(base_url=stub_teacher.url, api_key="geheim-123")
    with connect_client(client) as pool:
        stub_teacher.fail_next(401, body={"error": "Incorrect API key provided: geheim-123"})
        error = failure(pool)
    assert error.fatal
    assert "geheim" not in str(error)


def test_a_synchronous_client_with_certificates_of_its_own_is_asked_itself(tmp_path):
    import openai

    certificate, tls = self_signed(tmp_path)
    with StubTeacher(tls=tls, latency=0.2) as stub:
        trusting = openai.DefaultHttpxClient(verify=ssl.create_default_context(cafile=certificate))
        client = openai.OpenAI(base_url=stub.url, api_key="x", http_client=trusting)
        with connect_client(client) as pool:
            inquiry = pool.inquiry()
            inquiry.send([(n, variant(prompt=f"question {n}")) for n in range(8)])
            answers = []
            while not inquiry.is_idle:
                answers += inquiry.collect(wait=True)
        assert [answer for _, answer in answers if isinstance(answer, Exception)] == []
        assert stub.max_in_flight > 1
    assert not client.is_closed()


def test_a_client_of_another_kind_is_asked_itself(stub_teacher):
    import openai

    class Signing(openai.OpenAI):
        @property
        def default_headers(self) -> dict[str, Any]:
            return {**super().default_headers, "X-Signature": "signed"}

    with connect_client(Signing(base_url=stub_teacher.url, api_key="x")) as pool:
        assert complete(pool).choices
    headers = {name.lower(): value for name, value in stub_teacher.calls[0].headers.items()}
    assert headers["x-signature"] == "signed"


def test_an_interrupt_does_not_wait_for_the_answers_of_a_synchronous_client():
    script = """
import openai, sys, threading
sys.path.insert(0, "tests")
from stub_teacher import StubTeacher
from kfp_sdg.teacher import Request, connect_client
stub = StubTeacher(latency=60).__enter__()
client = openai.OpenAI(base_url=stub.url, api_key="x", http_client=openai.DefaultHttpxClient())
pool = connect_client(client)
inquiry = pool.inquiry()
inquiry.send([("a", Request("hello", "stub-model", options={"max_tokens": 5}))])
while not stub.requests:
    pass
inquiry.cancel()
pool.close()
print("closed", flush=True)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "closed\n", done.stderr


def test_a_request_imports_neither_openai_nor_httpx(stub_teacher):
    script = f"""
import sys
from kfp_sdg.teacher import Request, TeacherOptions, connect
with connect(TeacherOptions({stub_teacher.url!r})) as pool:
    pool.run(pool.teacher(None).complete(Request("Hello.", "stub-model")))
print([name for name in ("openai", "httpx", "httpx2", "pydantic") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
