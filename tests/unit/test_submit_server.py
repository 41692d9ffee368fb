"""The way to a server of pipelines: its URL, the proxy, and what answers that is none."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest

from argo_nodes import STARTED
from connect_proxy import ConnectProxy
from fake_kfp import FakeKfp
from fake_kfp_calls import Fault
from kfp_sdg.cluster.submit import Server, get_run, kubeflow, terminate
from kfp_sdg.cluster.submit.credentials import FileToken, FixedToken, cookies_of
from kfp_sdg.cluster.submit.states import view_of
from kfp_sdg.cluster.submit.target import IN_CLUSTER, base_of
from kfp_sdg.errors import ClusterError
from submit_runs import QUICK, hurry, server_at


@pytest.fixture
def kfp():
    with FakeKfp() as kfp:
        yield kfp


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("localhost:8080/", "http://localhost:8080"),
        ("kubeflow.example.com/pipeline/", "https://kubeflow.example.com/pipeline"),
        ("https://k.example.com/pipeline/#/runs/details/4f", "https://k.example.com/pipeline"),
        ("https://ds.example.com/apis/v2beta1/runs", "https://ds.example.com"),
        (IN_CLUSTER, IN_CLUSTER),
    ],
)
def test_a_url_may_be_copied_from_a_browser(typed, base):
    assert base_of(typed) == base


@pytest.mark.parametrize("typed", ["ftp://x", "https://", "https://me:secret@kubeflow/"])
def test_what_is_no_url_is_the_users_mistake(typed):
    with pytest.raises(ClusterError) as raised:
        base_of(typed)
    assert raised.value.exit_code == 2
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("login", [None, "jo:p@ss/word"])
def test_the_environments_proxy_is_the_way(kfp, monkeypatch, login):
    port = int(kfp.url.rsplit(":", 1)[1])
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ConnectProxy(port, login=login) as proxy:
        quoted = proxy.url if login is None else f"http://jo:p%40ss%2Fword@{proxy.address}"
        monkeypatch.setenv("HTTP_PROXY", quoted)
        monkeypatch.setenv("http_proxy", quoted)
        server_at(kubeflow(f"http://kubeflow.example:{port}"))
        assert proxy.targets == [f"kubeflow.example:{port}"]


@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_is_told_with_the_servers_words(kfp, status):
    kfp.fail(Fault("GET healthz", status, '{"message": "not on Sundays"}'))
    with pytest.raises(ClusterError, match="not on Sundays"):
        Server(kubeflow(kfp.url), patience=QUICK).greet()
    assert len(kfp.calls) == 1


@pytest.mark.parametrize("body", ['"hello"', "{}", "<!doctype html>"])
def test_something_else_that_answers_is_no_server(kfp, body):
    kfp.fail(Fault("GET healthz", 200, body))
    with pytest.raises(ClusterError, match="answers with a web page and not with the API"):
        Server(kubeflow(kfp.url), patience=QUICK).greet()


def test_a_login_page_in_the_place_of_a_run_does_not_pass_for_one(kfp):
    server = server_at(kubeflow(kfp.url))
    kfp.extra["/apis/v2beta1/runs/"] = lambda call: (200, "<html>Log in</html>", "text/html")
    with pytest.raises(ClusterError, match="answers with a web page"):
        get_run(server, "run-1")


PAGE = "<html><body>Sign in</body></html>"


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("plain", [False, True], ids=["api", "beside"])
def test_credentials_follow_no_redirect(kfp, status, plain):
    with FakeKfp() as other:
        there = f"{other.url}/dex/auth?state=secret-state"
        kfp.fail(Fault("GET", status, there))
        server = Server(
            kubeflow(kfp.url, cookies="session=abc", token=FixedToken("t", "")), patience=QUICK
        )
        if plain:
            assert server.get_plain(f"{kfp.url}/artifacts/minio/b/k").status == status
        else:
            with pytest.raises(ClusterError, match=f"sends to {other.url}; it answers") as raised:
                server.greet()
            assert "secret-state" not in str(raised.value)
        assert other.calls == []


def test_a_session_that_is_over_is_told_as_such(kfp):
    kfp.cookie = "session=abc"
    server = server_at(kubeflow(kfp.url, cookies="session=abc"))
    kfp.cookie = "session=def"
    with pytest.raises(ClusterError, match="does not accept the cookie any more: log in again"):
        get_run(server, "run-1")


@pytest.mark.parametrize("status", [401, 403])
def test_a_sign_in_page_is_never_printed(kfp, status):
    kfp.fail(Fault("GET healthz", status, PAGE))
    with pytest.raises(ClusterError, match="answers with a web page") as raised:
        Server(kubeflow(kfp.url), patience=QUICK).greet()
    assert "<html>" not in str(raised.value)


def test_a_router_without_a_server_behind_it_is_told_with_its_status(kfp, monkeypatch):
    hurry(monkeypatch)
    told = []
    kfp.fail(*[Fault("GET healthz", 503, PAGE)] * 50)
    with pytest.raises(ClusterError, match="HTTP 503"):
        Server(kubeflow(kfp.url), patience=QUICK, tell=told.append).greet()
    assert "<html>" not in " ".join(told)


@pytest.mark.parametrize(("state", "harmless"), [("CANCELING", True), ("PENDING", False)])
def test_a_run_that_is_ending_already_is_no_failure_to_end_it(kfp, state, harmless):
    """KFP refuses a second time, also where the first answer was lost."""
    server = server_at(kubeflow(kfp.url))
    kfp.extra["/apis/v2beta1/runs/run-1"] = lambda call: (
        (400, {"message": "Row not found"}, "")
        if call.method == "POST"
        else (200, {"run_id": "run-1", "state": state}, "")
    )
    if harmless:
        terminate(server, "run-1")
    else:
        with pytest.raises(ClusterError, match="Row not found"):
            terminate(server, "run-1")


@pytest.mark.parametrize("date", ["Thu, 26 Nov 2026 10:01:00 GMT", "Thu, 26 Nov 2026 09:59:00 GMT"])
def test_how_long_a_run_takes_is_told_by_the_servers_clock(kfp, monkeypatch, date):
    """The fake's runs begin at 10:00:00."""
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: date)
    server = server_at(kubeflow(kfp.url))
    kfp.extra["/apis/v2beta1/runs/"] = lambda call: (
        (200, {"run_id": "run-1", "state": "RUNNING", "created_at": STARTED}, "")
    )
    run = view_of(get_run(server, "run-1"), (), server.clock())
    assert run.seconds == (60.0 if "10:01" in date else 0.0)


def test_a_token_that_is_being_written_anew_is_the_one_of_before(tmp_path):
    """``oc create token NAME > FILE`` leaves the file empty until it has one."""
    file = tmp_path / "token"
    token = FileToken(file)
    with pytest.raises(ClusterError, match="cannot read the token"):
        token.read()
    file.write_text("first\n")
    assert token.read() == "first"
    file.write_text("")
    assert token.read() == "first"
    file.write_text("second")
    assert token.read() == "second"


@pytest.mark.parametrize("text", ["two\nlines", "sécret"])
def test_what_cannot_be_in_a_header_is_told_and_not_shown(text):
    with pytest.raises(ClusterError, match="copy it anew") as raised:
        FixedToken(text, "")
    assert text not in str(raised.value)
    with pytest.raises(ClusterError, match="copy it anew"):
        cookies_of("session=sécret")


@pytest.mark.parametrize(
    ("host", "overheard"),
    [
        ("http://kubeflow.example.com", True),
        ("https://kubeflow.example.com", False),
        ("http://localhost:8080", False),
        (IN_CLUSTER, False),
    ],
)
def test_credentials_in_the_clear_are_noticed(host, overheard):
    assert kubeflow(host, cookies="session=abc").may_be_overheard == overheard
    assert not kubeflow(host).may_be_overheard
