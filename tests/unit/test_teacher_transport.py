"""The ways to a server: aiohttp, and clients of the openai package that users bring along."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from asking import CHAT, complete, connected, failure, failure_of, variant
from asking import no_proxy_of_this_machine as no_proxy_of_this_machine
from certificates import self_signed
from kfp_sdg.teacher import (
    RequestStatistics,
    TeacherOptions,
    TeacherPool,
    certificates,
    connect_client,
)
from kfp_sdg.teacher.aiohttp_transport import AiohttpTransport, encoded
from kfp_sdg.teacher.credentials import ApiKey
from kfp_sdg.teacher.transport import NoReply, Trouble
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def through_aiohttp(url: str) -> Iterator[TeacherPool]:
    with connected(url, timeout=0.3) as pool:
        yield pool


@contextmanager
def through_openai(url: str, **settings: Any) -> Iterator[TeacherPool]:
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key="EMPTY", timeout=0.3, **settings)
    quick = TeacherOptions(url, max_retries=3, first_delay=0.001, patience_at_start=0.1)
    with connect_client(client, quick) as pool:
        yield pool


@contextmanager
def through_threads(url: str) -> Iterator[TeacherPool]:
    import openai

    own = openai.DefaultHttpxClient()
    client = openai.OpenAI(base_url=url, api_key="EMPTY", timeout=0.3, http_client=own)
    quick = TeacherOptions(url, max_retries=3, first_delay=0.001, patience_at_start=0.1)
    with connect_client(client, quick) as pool:
        yield pool
    own.close()


both_ways = pytest.mark.parametrize("through", [through_aiohttp, through_openai, through_threads])


@both_ways
def test_answers_errors_and_lists_come_through(stub_teacher, through):
    with through(stub_teacher.url) as pool:
        teacher = pool.teacher(None)
        assert pool.run(teacher.models()) == ("stub-model",)
        assert complete(pool).choices
        assert pool.run(teacher.chat(CHAT)).choices
        stub_teacher.fail_next(429, retry_after=0.01)
        assert complete(pool).choices
        assert failure(pool, variant(model="other")).status == 404


@both_ways
@pytest.mark.parametrize(
    ("kind", "words", "tries"),
    [
        ("hang", "did not answer in time", 3),
        ("reset", "broke before the answer was complete", 4),
        ("cut", "broke before the answer was complete", 4),
    ],
)
def test_an_answer_that_never_gets_complete_rejects_its_row(
    stub_teacher, through, kind, words, tries
):
    stub_teacher.fail_next(kind=kind, times=20)
    with through(stub_teacher.url) as pool:
        error = failure(pool)
    assert words in str(error)
    assert not error.fatal
    assert len(stub_teacher.requests) == tries


def test_an_answer_that_drips_in_for_ever_is_given_up(stub_teacher):
    stub_teacher.fail_next(kind="drip", times=3)
    with through_aiohttp(stub_teacher.url) as pool:
        assert "did not answer in time" in str(failure(pool))
        assert complete(pool).choices


@both_ways
def test_names_without_a_host_and_closed_ports_are_unreachable(stub_teacher, through):
    with StubTeacher() as gone:
        urls = ("http://no-such-host.invalid:8000/v1", gone.url)
    for url in urls:
        with through(url) as pool:
            error = failure_of(pool, pool.teacher(None).models())
        assert error.fatal
        assert "is the server running" in str(error)


@both_ways
def test_a_certificate_that_nobody_signed_is_told_at_once(through, tmp_path):
    with StubTeacher(tls=self_signed(tmp_path)[1]) as stub, through(stub.url) as pool:
        error = failure(pool)
    assert error.fatal
    assert "certificate is not trusted" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert "tries" not in str(error)


@both_ways
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_that_the_environment_names_is_trusted(
    through, variable, tmp_path, monkeypatch
):
    if through is not through_aiohttp and variable == "REQUESTS_CA_BUNDLE":
        pytest.skip("httpx does not know it")
    file, context = self_signed(tmp_path)
    monkeypatch.setenv(variable, str(file))
    with StubTeacher(tls=context) as stub, through(stub.url) as pool:
        assert complete(pool).choices


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_that_is_not_there_is_named(variable, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, str(tmp_path / "absent.pem"))
    with through_aiohttp("https://127.0.0.1:9") as pool:
        error = failure(pool)
    assert error.fatal
    assert variable in str(error)
    assert "absent.pem" in str(error)


def test_a_bundle_without_a_certificate_is_named(tmp_path, monkeypatch):
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(NoReply, match=r"SSL_CERT_FILE names .*empty.pem, which holds no") as caught:
        certificates.tls_context()
    assert caught.value.trouble is Trouble.UNTRUSTED


def test_an_image_without_authorities_has_those_of_certifi(monkeypatch, tmp_path):
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()._replace(capath=str(tmp_path))
    monkeypatch.setattr(ssl, "create_default_context", lambda: bare)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert certificates.tls_context().cert_store_stats()["x509_ca"] > 50


@both_ways
def test_plain_http_where_tls_was_expected_is_told(stub_teacher, through):
    with through(stub_teacher.url.replace("http:", "https:")) as pool:
        assert "does the server speak TLS" in str(failure(pool))


def test_tls_where_plain_http_was_expected_is_told(tmp_path):
    with StubTeacher(tls=self_signed(tmp_path)[1]) as stub:
        plain = stub.url.replace("https:", "http:")
        with through_aiohttp(plain) as pool:
            error = failure(pool)
    assert "connection broke" in str(error)


def test_what_is_no_http_is_told(tmp_path):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    with _served(talk) as url, through_aiohttp(url) as pool:
        assert "is no HTTP" in str(failure(pool))


def test_a_redirect_is_not_followed_but_told(stub_teacher):
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://elsewhere.example/v1?key=1\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.close()

    with _served(redirect) as url, through_aiohttp(url) as pool:
        error = failure(pool)
    assert error.fatal
    assert "https://elsewhere.example/v1" in str(error)
    assert "key=1" not in str(error)


def test_a_connection_that_was_closed_while_idle_costs_no_try():
    accepted = []

    async def once_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await _read_request(reader)
        body = b'{"choices": [{"index": 0, "text": "here"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        # The next request on this connection meets its end.
        await reader.readline()
        writer.close()

    with _served(once_each) as url, connected(url, max_retries=0) as pool:
        for _ in range(5):
            assert complete(pool).choices[0].text == "here"
    assert len(accepted) == 5


def test_a_used_connection_that_breaks_while_an_answer_is_made_costs_a_try():
    """The server has worked on it, so that it is asked again is counted."""
    accepted = []

    async def once_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await _read_request(reader)
        body = b'{"choices": [{"index": 0, "text": "here"}]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        if await reader.readline():
            await asyncio.sleep(1.3)
        writer.close()

    statistics = RequestStatistics()
    with _served(once_each) as url, connected(url, max_retries=1) as pool:
        for _ in range(2):
            assert complete(pool, variant(statistics=statistics)).choices[0].text == "here"
    assert len(accepted) == 2
    assert statistics.retries_by_cause == {"broken": 1}


def test_an_unused_connection_is_used_again(stub_teacher):
    with through_aiohttp(stub_teacher.url) as pool:
        for _ in range(5):
            complete(pool)
        ports = {call.peer for call in stub_teacher.calls}
    assert len(ports) == 1


@both_ways
@pytest.mark.parametrize(
    "text", ["plain", "ümläut 日本 🎉", "half \ud83d character", "x" * 3_000_000]
)
def test_any_text_reaches_the_server(stub_teacher, through, text, recwarn):
    if through is not through_aiohttp and "\ud83d" in text:
        pytest.skip("the package cannot send it")
    with through(stub_teacher.url) as pool:
        complete(pool, variant(prompt=text))
    assert stub_teacher.prompts == [text]
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


def test_a_body_is_compact_utf_8():
    assert encoded({"prompt": "ü", "n": 1}) == '{"prompt":"ü","n":1}'.encode()
    assert json.loads(encoded({"prompt": "\ud83d"})) == {"prompt": "\ud83d"}


@both_ways
def test_a_packed_answer_is_unpacked(stub_teacher, through):
    stub_teacher.fail_next(kind="gzip", body={"choices": [{"text": "packed " * 1000}]})
    with through(stub_teacher.url) as pool:
        assert complete(pool).choices[0].text == "packed " * 1000


def test_an_answer_beyond_all_measure_rejects_its_row(stub_teacher, monkeypatch):
    monkeypatch.setattr("kfp_sdg.teacher.aiohttp_transport._LARGEST_BODY", 1 << 20)
    # Small as it is sent, and two megabytes once unpacked.
    stub_teacher.fail_next(kind="gzip", body={"choices": [{"text": "x" * (2 << 20)}]}, times=9)
    with through_aiohttp(stub_teacher.url) as pool:
        error = failure(pool)
    assert not error.fatal
    assert "too large: more than 1 MiB" in str(error)
    assert len(stub_teacher.requests) == 1


def test_the_environments_proxy_is_used_but_not_for_this_machine(stub_teacher, monkeypatch):
    monkeypatch.setenv("http_proxy", stub_teacher.url.removesuffix("/v1"))
    with StubTeacher() as direct:
        with through_aiohttp("http://teacher.example:8000") as pool:
            assert complete(pool).choices
        assert stub_teacher.calls[0].headers["Host"] == "teacher.example:8000"
        with through_aiohttp(direct.url) as pool:
            assert complete(pool).choices
    assert len(stub_teacher.calls) == 1


def test_no_proxy_is_used_for_hosts_that_are_excepted(stub_teacher, monkeypatch):
    monkeypatch.setenv("http_proxy", stub_teacher.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", ".invalid")
    with through_aiohttp("http://no-such-host.invalid:8000") as pool:
        assert "cannot be reached" in str(failure(pool))
    assert not stub_teacher.calls


def test_a_proxy_that_is_not_there_is_unreachable(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with through_aiohttp("http://teacher.example:8000") as pool:
        assert "127.0.0.1:9" in str(failure(pool))


def test_nothing_is_opened_before_the_first_request_and_closing_twice_is_well():
    async def open_and_close() -> None:
        transport = AiohttpTransport(
            "http://127.0.0.1:9/v1", ApiKey("x", "y"), timeout=1.0, connect_timeout=1.0
        )
        await transport.close()
        with pytest.raises(NoReply):
            await transport.get("/models")
        await transport.close()
        await transport.close()

    asyncio.run(open_and_close())


async def _read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"length" in line), 0
    )
    await reader.readexactly(length)


@contextmanager
def _served(talk: Any) -> Iterator[str]:
    """Serve raw connections in a thread of its own; yield the base URL."""
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(talk, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(timeout=10)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
