"""kfp-sdg submit on OpenShift AI: the server that a DSPA tells of, with the user's login."""

from __future__ import annotations

import pytest
import yaml

from certificates import self_signed
from fake_kfp import FakeKfp
from fake_kubernetes import DSPA_GROUP, FakeKubernetes
from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.submit import pipeline_server as pipeline_server_of
from kfp_sdg.errors import ClusterError
from kfp_sdg.kube import Requests
from submit_runs import QUICK, SUCCESS, hurry, server_at, write_inputs

READY = [
    {"type": "APIServerReady", "status": "True", "reason": "MinimumReplicasAvailable"},
    {"type": "Ready", "status": "True", "reason": "MinimumReplicasAvailable"},
]


def pipeline_server(url, name="dspa", version="v2", conditions=READY, namespace="sdg"):
    urls = {"apiServer": {"externalUrl": url, "url": "https://inside:8443"}} if url else {}
    return {
        "apiVersion": f"{DSPA_GROUP}/v1",
        "kind": "DataSciencePipelinesApplication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"dspVersion": version, "objectStorage": {}},
        "status": {"components": urls, "conditions": list(conditions)},
    }


@pytest.fixture
def kfp(monkeypatch):
    hurry(monkeypatch)
    with FakeKfp(script=SUCCESS, token="first-token") as kfp:
        yield kfp


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeKubernetes() as cluster:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        yield cluster


def submit(tmp_path, *more):
    pipeline, rows = write_inputs(tmp_path)
    return main(["submit", str(pipeline), "--input", str(rows), *more])


def words(text):
    return " ".join(text.split())


def test_the_route_of_a_named_server_is_used_with_the_login_of_the_kubeconfig(
    cluster, kfp, tmp_path, capsys
):
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    assert submit(tmp_path, "--dspa", "dspa", "-n", "sdg") == 0
    assert cluster.verbs() == ["get"]
    assert {call.headers["authorization"] for call in kfp.calls} == {"Bearer first-token"}
    printed = capsys.readouterr()
    assert printed.out == "run-1\n"
    assert "dashboard  Pipelines > Runs, project sdg" in printed.err
    assert "first-token" not in printed.err


def test_the_only_server_of_a_project_needs_no_name(cluster, kfp, tmp_path):
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    cluster.add_pipeline_server(pipeline_server("https://x", "other", namespace="elsewhere"))
    assert submit(tmp_path, "-n", "sdg", "--no-wait") == 0
    assert cluster.verbs() == ["list"]
    assert all("namespace" not in body for body in kfp.bodies("POST pipelines"))


def test_several_servers_ask_for_a_name(cluster, kfp, tmp_path, capsys):
    for name in ("b", "a"):
        cluster.add_pipeline_server(pipeline_server(kfp.url, name))
    assert submit(tmp_path, "-n", "sdg") == 1
    assert "has several pipeline servers; name one with --dspa: a, b" in words(
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("dspa", "why"),
    [
        (pipeline_server("https://x", version="v1"), "has spec.dspVersion 'v1'; expected 'v2'"),
        (pipeline_server(""), "is not up: it has no URL yet"),
        (
            pipeline_server("https://x", conditions=()),
            "is not up: the operator has not said anything about it yet",
        ),
        (
            pipeline_server(
                "https://x",
                conditions=[
                    {"type": "Ready", "status": "False", "reason": "FailingToDeploy"},
                    {
                        "type": "DatabaseAvailable",
                        "status": "False",
                        "reason": "FailingToDeploy",
                        "message": "cannot reach mariadb",
                    },
                ],
            ),
            "is not up: DatabaseAvailable is False (FailingToDeploy: cannot reach mariadb); Ready "
            "is False (FailingToDeploy). See `oc describe dspa dspa -n sdg`",
        ),
    ],
)
def test_a_server_that_cannot_be_used_says_why(cluster, kfp, tmp_path, capsys, dspa, why):
    cluster.add_pipeline_server(dspa)
    assert submit(tmp_path, "-n", "sdg") == 1
    assert why in words(capsys.readouterr().err)
    assert kfp.calls == []


def test_one_that_is_not_there_is_told_with_what_to_do(cluster, kfp, tmp_path, capsys):
    assert submit(tmp_path, "--dspa", "dspa", "-n", "sdg") == 1
    assert "there is no DataSciencePipelinesApplication 'dspa' in project 'sdg'" in words(
        capsys.readouterr().err
    )
    assert submit(tmp_path, "-n", "sdg") == 1
    assert "project 'sdg' has no pipeline server: make one" in words(capsys.readouterr().err)


def test_a_cluster_without_openshift_ai_is_told(cluster, kfp, tmp_path, capsys):
    cluster.installed = False
    assert submit(tmp_path, "-n", "sdg") == 1
    assert "OpenShift AI is not installed at" in words(capsys.readouterr().err)


def test_whoever_may_not_look_is_told_what_the_server_said(cluster, kfp, tmp_path, capsys):
    cluster.rules = ()
    assert submit(tmp_path, "--dspa", "dspa", "-n", "sdg") == 1
    error = words(capsys.readouterr().err)
    assert "may not get DataSciencePipelinesApplication 'dspa' in project 'sdg'" in error
    assert 'cannot get resource "datasciencepipelinesapplications"' in error


def test_a_login_that_ends_is_taken_from_the_kubeconfig_anew(cluster, kfp, tmp_path):
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    told = []
    server = server_at(pipeline_server_of(Requests(QUICK), "dspa", "sdg"), tell=told.append)
    kfp.token = cluster.token = "second-token"
    cluster.kubeconfig(tmp_path)  # somebody has logged in again
    server.greet()
    assert [call.headers["authorization"] for call in kfp.calls] == [
        *("Bearer first-token", "Bearer first-token", "Bearer second-token")
    ]
    assert told == []


def test_a_login_that_nobody_renews_is_waited_for_and_then_told(cluster, kfp, tmp_path):
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    told = []
    server = server_at(pipeline_server_of(Requests(QUICK), "dspa", "sdg"), tell=told.append)
    kfp.token = "second-token"
    with pytest.raises(ClusterError, match=r"does not accept the token: log in again"):
        server.greet()
    assert "the token is no longer accepted: log in again (`oc login`)" in told[0]


def test_a_pod_shows_the_token_of_its_service_account(kfp, tmp_path, monkeypatch):
    certificate, context = self_signed(tmp_path)
    with FakeKubernetes(tls=context) as cluster:
        cluster.add_pipeline_server(pipeline_server(kfp.url))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
        account = cluster.service_account(tmp_path, certificate)
        target = pipeline_server_of(Requests(QUICK, service_account=account), "", "")
        assert target.namespace == "sdg"
        server = server_at(target)
        (account / "token").write_text("second-token")  # the kubelet writes a new one
        kfp.token = "second-token"
        server.greet()
    assert kfp.calls[-1].headers["authorization"] == "Bearer second-token"


def test_a_teacher_of_the_project_is_started_for_the_run(cluster, kfp, tmp_path):
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    _, rows = write_inputs(tmp_path)
    arguments = ["--input", str(rows), "-n", "sdg", "--no-wait"]
    more = ["--teacher", "inferenceservice:mixtral", "--memory-limit", "asking=2Gi"]
    assert main(["submit", "instructlab/simple/freeform_skills", *arguments, *more]) == 0
    (version,) = kfp.versions.values()
    spec = version["pipeline_spec"]["pipeline_spec"]
    assert "start-teacher" in spec["components"]["comp-generate"]["dag"]["tasks"]
    assert spec["root"]["inputDefinitions"]["parameters"]["inference_service"]["defaultValue"] == (
        "mixtral"
    )
    assert "2Gi" in str(spec["deploymentSpec"])


def test_what_cannot_be_fetched_is_told_before_the_run(cluster, kfp, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kfp_sdg.cluster.submit.fetching.find_spec", lambda name: None)
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    assert submit(tmp_path, "-n", "sdg", "-o", str(tmp_path / "out")) == 2
    assert "--output reads its object store, which takes `pip install s3fs`" in words(
        capsys.readouterr().err
    )
    assert kfp.calls == []


def test_a_kubeconfig_with_certificates_alone_has_no_token(cluster, kfp, tmp_path, capsys):
    cluster.add_pipeline_server(pipeline_server(kfp.url))
    cluster.token = ""
    file = tmp_path / "kubeconfig"
    config = yaml.safe_load(file.read_text())
    config["users"][0]["user"] = {}
    file.write_text(yaml.safe_dump(config))
    assert submit(tmp_path, "-n", "sdg") == 1
    assert "the kubeconfig has no token, which OpenShift AI asks for: log in (`oc login`)" in words(
        capsys.readouterr().err
    )


def test_host_and_dspa_are_one_too_many(cluster, kfp, tmp_path, capsys):
    assert submit(tmp_path, "--dspa", "dspa", "--host", kfp.url) == 2
    assert "--host names a server too; give one of them" in words(capsys.readouterr().err)
