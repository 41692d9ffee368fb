"""The API key in a file that changes: a pod's own token, a Secret that somebody edits."""

from __future__ import annotations

import logging

import pytest

from asking import complete, connected, failure
from kfp_sdg.errors import SpecError, TeacherError
from kfp_sdg.teacher import TeacherOptions, connect
from kfp_sdg.teacher.credentials import ApiKey, KeyFile, find_api_key, key_for
from kfp_sdg.teacher.service_account import account_of
from kfp_sdg.teacher.token_hosts import named_hosts
from service_account_tokens import account_token, part
from stub_teacher import StubTeacher


def mounted(folder, **files):
    """Write files as the kubelet does: a folder of links to a folder that is swapped as a whole."""
    number = len(list(folder.glob("..*")))
    data = folder / f"..version-{number}"
    data.mkdir(parents=True)
    for name, text in files.items():
        (data / name).write_text(text)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
    fresh = folder / "..data_tmp"
    fresh.symlink_to(data.name)
    fresh.rename(folder / "..data")


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_replaced_file_is_read_again_a_few_seconds_later(tmp_path):
    clock, file = Clock(), tmp_path / "token"
    file.write_text("old")
    key = KeyFile(file, ApiKey("EMPTY", "nowhere"), clock=clock)
    file.write_text("newer")
    assert key.value == "old"
    clock.now = 2.0
    assert key.value == "newer"


@pytest.mark.parametrize("name", ["api_token", "api_key"])
def test_a_secret_that_is_swapped_as_kubernetes_does_is_read_at_once_after_a_refusal(
    tmp_path, name
):
    mounted(tmp_path / "secret", **{name: "old"})
    key = find_api_key({"KFP_SDG_API_KEY_FILE": str(tmp_path / "secret")})
    assert not key.renewed("old")
    mounted(tmp_path / "secret", **{name: "new"})
    assert key.renewed("old")
    assert key.value == "new"
    assert not key.renewed("new")


def test_every_key_that_there_was_is_masked(tmp_path):
    file = tmp_path / "token"
    file.write_text("geheim-1")
    key = find_api_key({"KFP_SDG_API_KEY_FILE": str(file)})
    file.write_text("geheim-two")
    key.renewed("geheim-1")
    assert key.hide_in("geheim-1 geheim-two") == "*** ***"
    assert "geheim" not in repr(key)


def test_a_file_that_is_empty_gone_or_broken_for_a_moment_changes_nothing(tmp_path, caplog):
    file = tmp_path / "token"
    file.write_text("good")
    key = find_api_key({"KFP_SDG_API_KEY_FILE": str(file)})
    for write in (lambda: file.write_text(""), file.unlink, lambda: file.write_text("two words")):
        write()
        assert not key.renewed("good")
        assert key.value == "good"
    assert "the API key stays as it was" in caplog.text
    assert "two words" not in caplog.text


def test_a_secret_that_comes_later_is_used_when_it_is_there(tmp_path):
    key = find_api_key(
        {"KFP_SDG_API_KEY_FILE": str(tmp_path / "secret"), "OPENAI_API_KEY": "other"}
    )
    assert (key.value, key.source) == ("other", "OPENAI_API_KEY")
    mounted(tmp_path / "secret", api_token="mine")
    assert key.renewed("other")
    assert key.value == "mine"


def test_a_key_from_a_variable_never_changes():
    key = find_api_key({"KFP_SDG_API_KEY": "fixed"})
    assert not key.changes
    assert not key.renewed("another")


def test_only_service_accounts_tokens_are_taken_for_such():
    assert account_of(account_token()) == "sdg/pipeline-runner"
    other = account_token("auth0|user")
    for key in ("EMPTY", "sk-1.2.3", "a.b.c", "x.!!.y", other, f"a.{part(['sub'])}.c", "ä.ö.ü"):
        assert account_of(key) is None


def test_a_service_accounts_token_goes_over_tls_alone(tmp_path):
    (tmp_path / "token").write_text(account_token())
    environ = {"KFP_SDG_API_KEY_FILE": str(tmp_path / "token")}
    options = TeacherOptions("https://teacher.sdg.svc", endpoints={"judge": "http://judge.sdg.svc"})
    with pytest.raises(SpecError) as caught:
        connect(options, environ=environ)
    text = str(caught.value)
    assert "service account sdg/pipeline-runner" in text
    assert "over https only, and http://judge.sdg.svc/v1 is not" in text
    assert str(tmp_path / "token") in text
    assert account_token() not in text
    connect(TeacherOptions("https://teacher.sdg.svc"), environ=environ).close()
    connect(TeacherOptions("http://127.0.0.1:9"), environ=environ).close()


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "127.example.com", "localhost.evil"])
def test_a_name_that_looks_like_this_machine_gets_no_service_accounts_token(tmp_path, host):
    (tmp_path / "token").write_text(account_token())
    environ = {"KFP_SDG_API_KEY_FILE": str(tmp_path / "token")}
    with pytest.raises(SpecError, match="over https only"):
        connect(TeacherOptions(f"http://{host}:8000"), environ=environ)


def test_the_pods_own_token_stays_in_the_pod_where_there_is_no_tls(tmp_path):
    token = tmp_path / "token"
    token.write_text(account_token())
    key = find_api_key({"KFP_SDG_API_KEY_FILE": str(token)})
    withheld = key_for(key, "http://teacher.sdg.svc/v1", pod_token=token)
    assert not withheld.given
    assert "the pod's own token is not sent over http" in withheld.advice
    assert key_for(key, "https://teacher.sdg.svc/v1", pod_token=token) is key
    assert key_for(key, "http://127.0.0.1:9/v1", pod_token=token) is key


def pods_own(tmp_path, **environ):
    token = tmp_path / "token"
    token.write_text(account_token())
    return find_api_key({"KFP_SDG_API_KEY_FILE": str(token), **environ}), token


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "https://teacher.sdg.svc.example.com/v1",
        "https://teacher.sdg.svc.evil/v1",
        "https://svc/v1",
        "https://evil-apps.example.org/v1",
        "https://apps.example.org/v1",
        "https://teacher.sdg.svc@evil.com/v1",
        "https://evil.com\\.svc/v1",
        "https://[2001:db8::1]/v1",
    ],
)
def test_the_pods_own_token_goes_to_no_server_that_nobody_has_named(tmp_path, url):
    key, token = pods_own(tmp_path)
    hosts = named_hosts({"KFP_SDG_TOKEN_HOSTS": "*.apps.example.org"})
    withheld = key_for(key, url, hosts=hosts, pod_token=token)
    assert not withheld.given
    assert account_token() not in repr(withheld)
    assert "sent to servers inside the cluster only" in withheld.advice
    assert "--teacher-key-host" in withheld.advice


@pytest.mark.parametrize(
    "url",
    [
        "https://teacher.sdg.svc:8443/v1",
        "https://teacher.sdg.svc.cluster.local/v1",
        "https://teacher.sdg.svc.cluster.local./v1",
        "https://mixtral-sdg.apps.example.org/v1",
        "https://Teacher.Example.com:8443/v1",
    ],
)
def test_servers_of_the_cluster_and_named_ones_are_shown_the_pods_own_token(tmp_path, url):
    key, token = pods_own(tmp_path)
    hosts = named_hosts({"KFP_SDG_TOKEN_HOSTS": "*.apps.example.org TEACHER.example.com"})
    assert key_for(key, url, hosts=hosts, pod_token=token) is key


def test_the_pods_own_token_is_known_by_its_file_however_its_path_is_written(tmp_path):
    key, token = pods_own(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    spelled = tmp_path / "link" / token.name
    assert not key_for(key, "https://api.example.com/v1", pod_token=spelled).given


def test_a_server_outside_is_shown_the_key_that_is_meant_for_such(tmp_path):
    key, token = pods_own(tmp_path, OPENAI_API_KEY="sk-1")
    assert key_for(key, "https://api.example.com/v1", pod_token=token).value == "sk-1"


def test_a_secrets_key_goes_wherever_the_run_form_says(tmp_path):
    mounted(tmp_path, api_token="sk-1")
    key = find_api_key({"KFP_SDG_API_KEY_FILE": str(tmp_path)})
    assert key_for(key, "https://api.example.com/v1", pod_token=tmp_path / "token") is key


@pytest.mark.parametrize(
    "host", ["https://a.example.com", "a.example.com:443", "*.com", "*", "a_b"]
)
def test_what_is_no_host_is_said_before_anything_is_sent(host):
    environ = {"KFP_SDG_TOKEN_HOSTS": f"b.example.com {host}"}
    with pytest.raises(SpecError, match="is no host") as caught:
        connect(TeacherOptions("https://teacher.sdg.svc"), environ=environ)
    assert "KFP_SDG_TOKEN_HOSTS" in str(caught.value)


def test_a_key_that_becomes_a_service_accounts_token_is_not_sent_either(tmp_path):
    file = tmp_path / "token"
    file.write_text("plain")
    environ = {"KFP_SDG_API_KEY_FILE": str(file)}
    with connected("http://no-such-host.invalid", environ=environ) as pool:
        sender = pool.sender(None)
        file.write_text(account_token())
        sender.key.renewed("plain")
        error = failure(pool)
    assert error.fatal
    assert "over https only" in str(error)


def test_a_refused_account_is_told_which_right_it_needs(tmp_path, stub_teacher):
    (tmp_path / "token").write_text(account_token())
    stub_teacher.fail_often(1.0, 403)
    with connected(
        stub_teacher.url, environ={"KFP_SDG_API_KEY_FILE": str(tmp_path / "token")}
    ) as p:
        assert "sdg/pipeline-runner, from" in (told := str(failure(p)))
        assert "right to get this InferenceService" in told


def test_a_secret_without_a_key_is_named_with_what_belongs_into_it(tmp_path, stub_teacher):
    stub_teacher.api_key = "wanted"
    with connected(stub_teacher.url, environ={"KFP_SDG_API_KEY_FILE": str(tmp_path)}) as pool:
        told = str(failure(pool))
    assert f"{tmp_path}, named by KFP_SDG_API_KEY_FILE, holds none" in told
    assert "teacher_secret names, with the key under api_token" in told


def test_a_refusal_reads_the_file_at_once_and_costs_no_try(tmp_path):
    file = tmp_path / "token"
    file.write_text("old")
    environ = {"KFP_SDG_API_KEY_FILE": str(file)}
    with (
        StubTeacher(api_key="old") as stub,
        connected(stub.url, environ=environ, max_retries=0) as pool,
    ):
        assert complete(pool).choices
        stub.api_key = "new"
        file.write_text("new")
        assert complete(pool).choices
        assert [call.headers["Authorization"] for call in stub.calls] == [
            "Bearer old",
            "Bearer old",
            "Bearer new",
        ]


def test_a_key_that_worked_is_waited_for_when_its_successor_comes_late(tmp_path, caplog):
    from threading import Timer

    file = tmp_path / "token"
    file.write_text("old")
    environ = {"KFP_SDG_API_KEY_FILE": str(file)}
    with (
        StubTeacher(api_key="old") as stub,
        connected(stub.url, environ=environ, max_retries=0) as pool,
    ):
        assert complete(pool).choices
        stub.api_key = "new"
        late = Timer(0.2, file.write_text, ["new"])
        late.start()
        with caplog.at_level(logging.WARNING, "kfp_sdg"):
            assert complete(pool).choices
        late.join()
    assert "refuses the key that it took before" in caplog.text


@pytest.mark.parametrize("worked", [False, True])
def test_a_key_that_stays_refused_stops_the_run(tmp_path, monkeypatch, worked):
    monkeypatch.setattr("kfp_sdg.teacher.aiohttp_transport._KEY_PATIENCE", 0.1)
    monkeypatch.setattr("kfp_sdg.teacher.aiohttp_transport._KEY_POLL", 0.01)
    (tmp_path / "token").write_text("old")
    environ = {"KFP_SDG_API_KEY_FILE": str(tmp_path / "token")}
    with (
        StubTeacher(api_key="old" if worked else "new") as stub,
        connected(stub.url, environ=environ, max_retries=0) as pool,
    ):
        if worked:
            complete(pool)
            stub.api_key = "new"
        error = failure(pool)
    assert isinstance(error, TeacherError)
    assert error.fatal
    assert error.status == 401
    assert len(stub.requests) == (2 if worked else 1)
