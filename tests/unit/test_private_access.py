"""A teacher behind a private authority, a rotating token, a company's proxy: each way that asks.

Block tasks, the preflight, the command line and the drop-in, each against a server that speaks TLS
with a certificate of an authority that only ``SSL_CERT_FILE`` names.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import pyarrow as pa
import pytest

from asking import complete, connected, failure
from certificates import private_authority
from connect_proxy import ConnectProxy
from engine_runs import ASK, FILES, TOPICS, tagged
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import run
from kfp_sdg.runtime.preflight import preflight
from kfp_sdg.runtime.task import run_block_task
from kfp_sdg.spec import PipelineSpec
from kfp_sdg.storage import read_dataset, write_dataset
from runtime_artifacts import Artifact
from service_account_tokens import account_token
from stub_teacher import StubTeacher

HOST = "teacher.sdg.svc"
PROMPT = {
    "system": "",
    "introduction": "Ask.",
    "principles": "",
    "examples": "",
    "generation": "{{document}}",
    "start_tags": ["[Q]"],
    "end_tags": ["[/Q]"],
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    names += ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
    names += ("KFP_SDG_API_KEY", "KFP_SDG_API_KEY_FILE", "OPENAI_API_KEY", "KFP_SDG_TOKEN_HOSTS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The file of an authority, and the context of a server that it vouches for."""
    return private_authority(tmp_path_factory.mktemp("authority"), HOST, "teacher.example")


@pytest.fixture
def stub(authority):
    with StubTeacher(tls=authority[1], answer=lambda ask: f"[Q]{ask.number}[/Q]") as teacher:
        yield teacher


@pytest.fixture
def trusted(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))


def run_a_block(tmp_path, url):
    write_dataset(tmp_path / "rows", pa.table({"document": ["d1", "d2"]}))
    names = ("rows", "output_rows", "rejected_rows", "metrics", "preview")
    artifacts = {name: Artifact(str(tmp_path / name)) for name in names}
    run_block_task(
        "LLMBlock",
        **artifacts,
        block_name="ask",
        config_path="ask.yaml",
        output_cols='["question"]',
        files=json.dumps({"ask.yaml": PROMPT}),
        teacher_url=url,
        model_family="blank",
        teacher_patience=0,
    )
    return artifacts["output_rows"].stored.table


def run_the_preflight(tmp_path, url):
    page = Artifact(str(tmp_path / "page"))
    checked = tmp_path / "url"
    preflight(checked_url=str(checked), preview=page, teacher_url=url, teacher_patience=0)
    return checked.read_text()


def run_the_command(tmp_path, url):
    pipeline = {
        "version": "1.0",
        "blocks": [
            {
                "name": "ask",
                "type": "LLMBlock",
                "config": {
                    "config_path": "ask.yaml",
                    "output_cols": ["question"],
                    "model_family": "blank",
                },
            }
        ],
    }
    (tmp_path / "pipeline.yaml").write_text(json.dumps(pipeline))
    (tmp_path / "ask.yaml").write_text(json.dumps(PROMPT))
    (tmp_path / "rows.jsonl").write_text('{"document": "d1"}\n{"document": "d2"}\n')
    arguments = ["--input", str(tmp_path / "rows.jsonl"), "--output", str(tmp_path / "out")]
    arguments += ["--teacher-url", url, "--teacher-patience", "0"]
    return main(["run", str(tmp_path / "pipeline.yaml"), *arguments])


@pytest.mark.usefixtures("trusted")
def test_ssl_cert_file_alone_opens_a_private_authoritys_server_to_a_block_task(stub, tmp_path):
    assert run_a_block(tmp_path, stub.url).num_rows == 2


@pytest.mark.usefixtures("trusted")
def test_ssl_cert_file_alone_opens_it_to_the_preflight(stub, tmp_path):
    assert run_the_preflight(tmp_path, stub.url) == stub.url


@pytest.mark.usefixtures("trusted")
def test_ssl_cert_file_alone_opens_it_to_the_command_line(stub, tmp_path):
    assert run_the_command(tmp_path, stub.url) == 0
    assert read_dataset(tmp_path / "out" / "dataset").table.num_rows == 2


@pytest.mark.usefixtures("trusted")
def test_ssl_cert_file_alone_opens_it_to_the_drop_in(stub, tmp_path):
    pytest.importorskip("instructlab.sdg")
    from datasets import Dataset

    from dropin_helpers import answering, context_for, pipeline_of

    stub._answer = lambda ask: "<answer>yes</answer>"
    pipeline = pipeline_of(tmp_path, context_for(stub), answering())
    made = pipeline.generate(Dataset.from_dict({"question": ["why?"]}))
    assert made["answer"] == ["yes"]


@pytest.mark.parametrize("way", [run_a_block, run_the_preflight, run_the_command])
def test_another_authority_than_the_servers_is_a_clear_error(
    stub, tmp_path, monkeypatch, capsys, way
):
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(private_authority(tmp_path / "other")[0]))
    with contextlib.suppress(SystemExit):
        assert way(tmp_path, stub.url) == 1
    err = capsys.readouterr().err
    assert "certificate is not trusted" in err
    assert "set SSL_CERT_FILE to the certificate authority that signed it" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("trusted")
def test_a_block_task_shows_the_pods_own_token_over_tls_and_never_without(
    stub, tmp_path, monkeypatch, capsys
):
    (tmp_path / "token").write_text(account_token())
    monkeypatch.setenv("KFP_SDG_API_KEY_FILE", str(tmp_path / "token"))
    stub.api_key = account_token()
    assert run_a_block(tmp_path, stub.url).num_rows == 2
    with pytest.raises(SystemExit):
        run_a_block(tmp_path, f"http://{HOST}:8080/v1")
    out, err = capsys.readouterr()
    assert "service account sdg/pipeline-runner, which is sent over https only" in err
    assert account_token() not in out + err


@pytest.mark.usefixtures("trusted")
def test_a_url_of_the_run_form_gets_the_pods_own_token_only_where_its_host_is_named(
    stub, tmp_path, monkeypatch, capsys
):
    token = tmp_path / "token"
    token.write_text(account_token())
    monkeypatch.setattr("kfp_sdg.teacher.credentials.POD_TOKEN", token)
    monkeypatch.setenv("KFP_SDG_API_KEY_FILE", str(token))
    stub.api_key = account_token()
    with pytest.raises(SystemExit):
        run_the_preflight(tmp_path, stub.url)
    out, err = capsys.readouterr()
    assert "sent to servers inside the cluster only" in err
    assert "compile the pipeline with --teacher-key-host" in err
    assert not any(account_token() in str(call.headers) for call in stub.calls)
    assert account_token() not in out + err

    monkeypatch.setenv("KFP_SDG_TOKEN_HOSTS", "other.example.com 127.0.0.1")
    assert run_the_preflight(tmp_path, stub.url) == stub.url
    assert run_a_block(tmp_path, stub.url).num_rows == 2


def test_a_token_that_rotates_while_the_server_refuses_the_old_one_loses_no_row(
    authority, tmp_path, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    token, lock = tmp_path / "token", threading.Lock()
    token.write_text("token-0")
    answered = []

    def answer(ask):
        with lock:
            answered.append(ask.prompt)
            if len(answered) % 80 == 0:  # the server forgets the token, the file follows later
                stub.api_key = f"token-{len(answered)}"
                threading.Timer(0.05, token.write_text, [stub.api_key]).start()
        return tagged("yes")

    with StubTeacher(tls=authority[1], answer=answer, api_key="token-0", latency=0.01) as stub:
        environ = {"KFP_SDG_API_KEY_FILE": str(token)}
        with connected(stub.url, environ=environ, max_retries=0, max_concurrency=8) as teachers:
            context = PipelineContext(teachers, "blank", "stub-model")
            result = run(PipelineSpec((ASK,), FILES), TOPICS(200), context)
    (books,) = result.history
    assert (result.rows.num_rows, books.rejected) == (200, 0)
    assert (books.requests, books.retries) == (200, 0)
    assert len({call.headers["Authorization"] for call in stub.calls}) == 3


@pytest.mark.usefixtures("trusted")
def test_tls_goes_through_the_environments_proxy_end_to_end(stub, monkeypatch):
    with ConnectProxy(stub.port, login="sdg:geheim") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with connected("https://teacher.example", environ={"KFP_SDG_API_KEY": "key"}) as pool:
            assert complete(pool).choices
    assert set(proxy.targets) == {"teacher.example:443"}
    (call,) = stub.calls
    assert call.headers["Authorization"] == "Bearer key"
    assert "Proxy-Authorization" not in call.headers


def test_plain_http_goes_through_the_proxy_too(stub_teacher, monkeypatch):
    with ConnectProxy(stub_teacher.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with connected("http://teacher.example:8000") as pool:
            assert complete(pool).choices
    assert proxy.targets == ["teacher.example:8000"]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "exceptions", [".svc", "svc,.cluster.local", HOST, "teacher.sdg.svc:1,sdg.svc"]
)
def test_addresses_of_the_cluster_go_past_the_proxy(stub, monkeypatch, exceptions):
    real = socket.getaddrinfo

    def cluster_dns(host, *arguments, **more):
        return real("127.0.0.1" if host == HOST else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", cluster_dns)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", f"localhost,{exceptions}".replace("PORT", str(stub.port)))
    with connected(f"https://{HOST}:{stub.port}") as pool:
        assert complete(pool).choices


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("networks", "direct"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
def test_networks_in_no_proxy_count_as_openshift_writes_them(stub, monkeypatch, networks, direct):
    with ConnectProxy(stub.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", f".svc, {networks},not-a-network/x")
        with connected(stub.url) as pool:
            assert complete(pool).choices
    assert bool(proxy.targets) is not direct


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_is_away_is_told_as_the_proxy(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://sdg:geheim@127.0.0.1:9")
    with connected(f"https://{HOST}") as pool:
        told = str(failure(pool))
    assert (
        "the proxy 127.0.0.1:9, which HTTPS_PROXY or HTTP_PROXY names: Connection refused" in told
    )
    assert "NO_PROXY" in told
    assert "geheim" not in told


@pytest.mark.parametrize(
    "proxy",
    [
        "http://sdg:geheim@proxy:port",
        "http://sdg:geheim@[::1",
        "://sdg:geheim@proxy",
        "socks5://geheim@x",
    ],
)
def test_a_proxy_that_is_none_is_told_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with connected("https://teacher.example") as pool:
        error = failure(pool)
    assert error.fatal
    assert "HTTPS_PROXY" in str(error)
    assert "geheim" not in str(error)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("login", ["", "sdg:wrong@"])
def test_a_proxy_that_wants_another_login_is_told_without_the_one_it_got(stub, monkeypatch, login):
    with ConnectProxy(stub.port, login="sdg:right") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}{proxy.address}")
        with connected("https://teacher.example") as pool:
            error = failure(pool)
    assert error.fatal
    assert "the proxy wants a user name and a password" in str(error)
    assert "wrong" not in str(error)


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_cannot_reach_the_teacher_is_told(stub, monkeypatch):
    with ConnectProxy(stub.port, status="502 Bad Gateway") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with connected("https://teacher.example") as pool:
            assert "the proxy says 502 Bad Gateway" in str(failure(pool))


@pytest.mark.usefixtures("trusted")
def test_a_service_accounts_token_goes_through_a_proxy_inside_tls_only(stub, monkeypatch, tmp_path):
    (tmp_path / "token").write_text(account_token())
    stub.api_key = account_token()
    environ = {"KFP_SDG_API_KEY_FILE": str(tmp_path / "token")}
    with ConnectProxy(stub.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with connected("https://teacher.example", environ=environ) as pool:
            assert complete(pool).choices
    assert proxy.targets
