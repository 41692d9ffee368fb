"""Troubles of an API server that pass, refusals that do not, and how the way to it is found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from certificates import self_signed
from connect_proxy import ConnectProxy
from fake_kserve import STOP, inference_service
from fake_kubernetes import FakeKubernetes
from fake_kubernetes_calls import Call, Fault
from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve import NotFoundError, start, stop
from kserve_rights import PIPELINE_SERVER, SHIPPED, calls_beyond_rights
from kserve_runs import QUICK, Lines, quick_client

NAME = "demo-teacher"
IMPATIENT = replace(QUICK, patience=0.1)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeKubernetes() as cluster:
        cluster.add(inference_service(NAME))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        yield cluster


@pytest.fixture
def pod(tmp_path, monkeypatch):
    """A cluster over HTTPS, and the folder of the service account that a pod has in it."""
    certificate, context = self_signed(tmp_path)
    with FakeKubernetes(tls=context) as cluster:
        cluster.add(inference_service(NAME))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
        yield cluster, cluster.service_account(tmp_path, certificate)


def failed(action, *arguments, **settings):
    with pytest.raises(ClusterError) as caught:
        action(*arguments, **settings)
    return str(caught.value)


# -- troubles that pass ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, "too many requests", {"Retry-After": "0"}),
        Fault(429, "too many requests", {"Retry-After": "soon"}),
        Fault(500, 'failed calling webhook "inferenceservice.kserve-webhook-server.defaulter"'),
        Fault(502),
        Fault(503),
        Fault(504),
        Fault(reset=True),
    ],
    ids=lambda fault: str(fault.status or "reset"),
)
@pytest.mark.parametrize("verb", ["get", "patch"])
def test_a_trouble_that_passes_is_borne(cluster, fault, verb):
    said = Lines()
    cluster.fail(*[replace(fault, verbs=(verb,))] * 2)
    start(quick_client(tell=said), NAME, run="run-1", tell=said)
    stop(quick_client(tell=said), NAME, run="run-1", tell=said)
    assert cluster.annotations(NAME)[STOP] == "true"
    assert sum("does not answer as it should, trying again" in line for line in said) == 2


def test_a_patch_whose_answer_is_lost_is_not_done_twice(cluster):
    said = Lines()
    cluster.fail(Fault(reset=True, after=True, verbs=("patch",)))
    start(quick_client(), NAME, run="run-1", tell=said)
    cluster.fail(Fault(reset=True, after=True, verbs=("patch",)))
    stop(quick_client(), NAME, run="run-1", tell=said)
    # each was sent twice: the second one for a version that was gone; then nothing was left to do
    patches = [call.status for call in cluster.calls if call.verb == "patch"]
    assert patches == [0, 409, 0, 409]
    assert cluster.annotations(NAME)[STOP] == "true"


def test_an_answer_that_takes_too_long_is_asked_for_again(cluster):
    cluster.fail(Fault(seconds=0.3))
    said = Lines()
    assert quick_client(pace=replace(QUICK, request=0.1), tell=said).get(NAME).name == NAME
    assert "Read timed out" in said[0]


def test_an_api_server_that_stays_away_is_an_error_in_the_end(cluster):
    cluster.fail(*[Fault(503, "etcd has no leader")] * 500)
    assert failed(quick_client(pace=IMPATIENT).get, NAME) == (
        "the Kubernetes API refused to get InferenceService 'demo-teacher' in namespace 'sdg': "
        "etcd has no leader"
    )


def test_an_api_server_that_nobody_can_reach_is_an_error_in_the_end(cluster):
    client = quick_client(pace=IMPATIENT)
    cluster.fail(*[Fault(reset=True)] * 500)
    assert re.fullmatch(
        rf"cannot reach the Kubernetes API at {cluster.url}, tried for 0\.1 s: .*closed connection"
        r".*",
        failed(client.get, NAME),
    )


# -- refusals --------------------------------------------------------------------------------------


def test_a_teacher_that_is_not_there_is_answered_with_those_that_are(cluster):
    with pytest.raises(NotFoundError) as caught:
        start(quick_client(), "demo", tell=Lines())
    assert str(caught.value) == (
        "there is no InferenceService 'demo' in namespace 'sdg', only demo-teacher"
    )
    with pytest.raises(NotFoundError, match=", nor any other: name another namespace, or"):
        start(quick_client(namespace="other"), NAME, tell=Lines())


def test_a_teacher_that_is_not_there_is_said_without_the_right_to_list(cluster):
    cluster.rules = [{**PIPELINE_SERVER[0], "verbs": ["get", "patch"]}]
    assert failed(quick_client().get, "demo") == (
        "there is no InferenceService 'demo' in namespace 'sdg': check the name, the namespace, "
        "and that manifests/teacher has been applied (`kubectl get inferenceservices -n sdg`)"
    )


def test_a_cluster_without_kserve_is_told_from_one_without_the_teacher(cluster):
    cluster.installed = False
    assert failed(quick_client().get, NAME) == (
        "this cluster knows no inferenceservices.serving.kserve.io/v1beta1: KServe is not "
        f"installed at {cluster.url}, or in another version"
    )


@pytest.mark.parametrize(("verbs", "missing"), [([], "get"), (["get"], "patch")])
def test_a_missing_right_is_named_with_the_account_and_the_role_that_has_it(
    cluster, verbs, missing
):
    cluster.rules = [{**SHIPPED[0], "verbs": verbs}]
    assert failed(start, quick_client(), NAME, tell=Lines()) == (
        f"system:serviceaccount:sdg:pipeline-runner may not {missing} "
        "inferenceservices.serving.kserve.io in namespace 'sdg', which 'demo-teacher' needs. The "
        "Role kfp-sdg-teacher of manifests/rbac (plain for KFP alone, kubeflow for a profile's "
        "namespace, openshift-ai) allows get and patch, of the teachers that its resourceNames "
        "list: apply it, bound to this account, with 'demo-teacher' among them"
    )


def test_a_persons_credentials_that_are_refused_are_an_error_after_one_more_try(cluster):
    cluster.token = "another"
    assert failed(quick_client().get, NAME) == (
        "may not get InferenceService 'demo-teacher' in namespace 'sdg': log in again (`oc "
        "login`), the kubeconfig's credentials are not accepted (the API server said: Unauthorized)"
    )
    assert len(cluster.calls) == 2


def test_a_persons_credentials_that_the_login_plugin_renews_are_used(cluster):
    cluster.fail(Fault(401, "Unauthorized"))
    assert quick_client().get(NAME).name == NAME


def test_an_answer_of_something_else_than_an_api_server_is_quoted(cluster):
    cluster.fail(Fault(418, "I am a teapot"))
    assert failed(quick_client().get, NAME).endswith(": I am a teapot")


@pytest.mark.parametrize("answer", ["<html>please log in</html>", [], {"kind": "Status"}])
def test_a_success_of_something_else_than_an_api_server_is_told(cluster, monkeypatch, answer):
    monkeypatch.setattr(cluster, "_done", lambda request: answer)
    text = failed(quick_client().get, NAME)
    assert text.startswith(f"what answers at {cluster.url} is no Kubernetes API")


def test_somebody_whom_the_api_server_does_not_know_has_to_log_in(cluster, monkeypatch):
    monkeypatch.setattr("fake_kubernetes.USER", "system:anonymous")
    cluster.rules = []
    assert "log in again (`oc login`)" in failed(quick_client().get, NAME)


def test_a_token_does_not_follow_a_redirect(cluster, tmp_path):
    with FakeKubernetes() as elsewhere:
        elsewhere.add(inference_service(NAME))
        to = {"Location": f"{elsewhere.url}/apis/serving.kserve.io/v1beta1/namespaces/sdg/"}
        cluster.fail(Fault(307, "Temporary Redirect", headers=to))
        assert "Temporary Redirect" in failed(quick_client().get, NAME)
        assert elsewhere.calls == []


# -- rights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [SHIPPED, PIPELINE_SERVER], ids=["shipped", "OpenShift AI"])
def test_the_rights_that_pipelines_have_are_enough_for_a_run(cluster, rules):
    cluster.rules = rules
    start(quick_client(), NAME, run="run-1", tell=Lines())
    stop(quick_client(), NAME, run="run-1", tell=Lines())
    assert {call.status for call in cluster.calls} == {200}
    assert set(cluster.verbs()) == {"get", "patch"}


@pytest.mark.parametrize("verb", ["watch", "create", "delete", "update", "list"])
def test_a_call_that_needs_more_rights_would_fail_the_tests(verb):
    call = Call(verb, "serving.kserve.io", "inferenceservices", "sdg", NAME, 200)
    assert calls_beyond_rights([call]) == [call]


def test_a_call_for_another_kind_would_fail_the_tests():
    for group, resource in (("serving.kserve.io", "servingruntimes"), ("", "pods")):
        call = Call("get", group, resource, "sdg", NAME, 200)
        assert calls_beyond_rights([call]) == [call]


# -- the way to the cluster ------------------------------------------------------------------------


def test_a_pod_goes_by_its_service_account(pod):
    _, account = pod
    client = quick_client(service_account=account)
    assert (client.namespace, client.in_cluster) == ("sdg", True)
    assert start(client, NAME, tell=Lines()).model_id == NAME


def test_a_pod_goes_past_the_proxy(pod, monkeypatch):
    _, account = pod
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert quick_client(service_account=account).get(NAME).name == NAME


def test_a_token_is_read_anew_for_each_request(pod):
    cluster, account = pod
    client = quick_client(service_account=account)
    for token in ("first-token", "second-token", "third-token"):
        cluster.token = token  # the one before it is not accepted any more
        (account / "token").write_text(f"{token}\n")
        client.get(NAME)
    assert [call.status for call in cluster.calls] == [200, 200, 200]


def test_a_token_that_rotates_while_a_teacher_loads_does_not_end_the_wait(pod):
    cluster, account = pod
    cluster.controller.loading = 20
    look = cluster.controller.step

    def look_and_rotate(service):
        cluster.token = f"{cluster.token}+"
        (account / "token").write_text(cluster.token)
        return look(service)

    cluster.controller.step = look_and_rotate
    said = Lines()
    start(quick_client(service_account=account, tell=said), NAME, tell=said)
    assert len(cluster.token) > len("first-token") + 20
    assert {call.status for call in cluster.calls} == {200}


def test_a_token_that_is_renewed_late_is_waited_for(pod):
    cluster, account = pod
    cluster.token = "second-token"

    def renew(line):
        (account / "token").write_text("second-token")

    assert quick_client(service_account=account, tell=renew).get(NAME).name == NAME


def test_a_pods_token_that_is_not_accepted_is_told_as_such(pod):
    _, account = pod
    (account / "token").write_text("of another cluster")
    text = failed(quick_client(pace=IMPATIENT, service_account=account).get, NAME)
    assert "the pod's service-account token is not accepted" in text
    assert "of another cluster" not in text


def test_a_certificate_that_is_not_trusted_is_an_error_at_once(pod, tmp_path):
    cluster, account = pod
    other = tmp_path / "other"
    other.mkdir()
    (account / "ca.crt").write_text(self_signed(other)[0].read_text())
    text = failed(quick_client(service_account=account).get, NAME)
    assert text.startswith(f"cannot talk to the Kubernetes API at {cluster.url}: ")
    assert "certificate verify failed" in text
    assert "the service account's ca.crt has to name the authority" in text


def test_without_a_namespace_file_a_namespace_has_to_be_given(pod):
    _, account = pod
    (account / "namespace").unlink()
    assert "no namespace is known" in failed(quick_client, service_account=account)
    assert quick_client(namespace="sdg", service_account=account).get(NAME).name == NAME


def test_a_pod_without_a_mounted_token_falls_back_to_a_kubeconfig(pod, tmp_path, monkeypatch):
    cluster, account = pod
    (account / "token").unlink()
    text = failed(quick_client, service_account=account)
    assert text.startswith(f"there is no way to a Kubernetes cluster: no kubeconfig at {tmp_path}/")
    assert "(Service token file does not exist)" in text
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
    client = quick_client(service_account=account)
    assert (client.namespace, client.in_cluster) == ("sdg", False)
    assert client.get(NAME).name == NAME


@pytest.mark.parametrize("login", [None, "jo:p@ss/word"])
def test_a_workstation_goes_through_its_proxy_and_not_where_it_is_told_not_to(
    pod, tmp_path, monkeypatch, login
):
    cluster, _ = pod
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
    with ConnectProxy(cluster.port, login=login) as proxy:
        quoted = proxy.url if login is None else f"http://jo:p%40ss%2Fword@{proxy.address}"
        monkeypatch.setenv("HTTPS_PROXY", quoted)
        assert quick_client().get(NAME).name == NAME
        assert proxy.targets == [f"127.0.0.1:{cluster.port}"]
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,127.0.0.0/8")
        assert quick_client().get(NAME).name == NAME
        assert len(proxy.targets) == 1


@pytest.mark.parametrize("proxy", ["http://sdg:geheim@proxy:port", "socks5://sdg:geheim@proxy:1"])
def test_a_proxy_that_is_none_is_told_without_its_password(cluster, monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    text = failed(quick_client)
    assert "what HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for it is not of the form" in text
    assert "geheim" not in text


def test_without_anything_it_is_said_where_a_cluster_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    text = failed(quick_client)
    assert f"no kubeconfig at {tmp_path}/.kube/config, and this is no pod" in text


@pytest.mark.parametrize(
    "content",
    [
        *("", "][", "just a text", "- a list", "apiVersion: v1\nkind: Config\n"),
        "current-context: nowhere\ncontexts: []",
    ],
)
def test_a_kubeconfig_that_is_none_is_an_error_with_its_path(tmp_path, monkeypatch, content):
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert failed(quick_client).startswith(f"the kubeconfig {file} cannot be used: ")


def test_a_context_without_a_namespace_means_default(cluster, tmp_path, monkeypatch):
    file = Path(cluster.kubeconfig(tmp_path))
    config = yaml.safe_load(file.read_text())
    del config["contexts"][0]["context"]["namespace"]
    file.write_text(yaml.safe_dump(config))
    assert quick_client().namespace == "default"
