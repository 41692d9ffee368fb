"""kfp-sdg teacher start, stop and status: what they print, and what they exit with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from fake_kserve import STOP, Controller, inference_service
from fake_kubernetes import FakeKubernetes
from kfp_sdg.cli.__main__ import main
from kfp_sdg.kserve import start
from kfp_sdg.kserve.uses import SHIELD, USES_ANNOTATION
from kserve_runs import QUICK, Lines, quick_client

URL = "http://demo-teacher-predictor.sdg.svc.cluster.local/v1"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeKubernetes() as cluster:
        cluster.add(inference_service("demo-teacher"))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        monkeypatch.setattr("kfp_sdg.kserve.Pace", lambda patience: QUICK)
        yield cluster


def test_start_prints_the_url_alone_to_standard_output(cluster, capsys):
    assert main(["teacher", "start", "demo-teacher"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{URL}\n"
    assert "demo-teacher: started, in namespace sdg" in printed.err
    assert (
        "kubectl port-forward -n sdg service/demo-teacher-predictor 8080:80, and then "
        "http://localhost:8080/v1"
    ) in " ".join(printed.err.split())
    assert cluster.annotations("demo-teacher")[STOP] == "false"
    assert USES_ANNOTATION not in cluster.annotations("demo-teacher")


@pytest.mark.parametrize(
    ("address", "ports"),
    [("https://t.sdg.svc", "8080:443"), ("https://t.sdg.svc:8443", "8443:8443")],
)
def test_the_hint_goes_by_the_addresss_scheme_and_port(cluster, capsys, address, ports):
    cluster.controller = Controller(address=address)
    assert main(["teacher", "start", "demo-teacher"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert f"service/t {ports}, and then https://localhost:{ports.split(':')[0]}/v1" in told


def test_an_address_from_outside_needs_no_hint(cluster, capsys):
    cluster.controller = Controller(address="https://teacher.example.com")
    assert main(["teacher", "start", "demo-teacher"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "https://teacher.example.com/v1\n"
    assert "port-forward" not in printed.err


def test_stop_stops_a_teacher_and_prints_nothing_to_standard_output(cluster, capsys):
    cluster.add(inference_service("demo-teacher", stopped=False))
    assert main(["teacher", "stop", "demo-teacher", "-n", "sdg"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "demo-teacher: stopped" in printed.err
    assert cluster.annotations("demo-teacher")[STOP] == "true"


def test_stop_leaves_a_teacher_in_use_alone_unless_forced(cluster, capsys):
    start(quick_client(), "demo-teacher", run="run-1", tell=Lines())
    assert main(["teacher", "stop", "demo-teacher"]) == 1
    assert "is in use: 1 run uses it" in " ".join(capsys.readouterr().err.split())
    assert main(["teacher", "stop", "demo-teacher", "--force"]) == 0
    assert cluster.annotations("demo-teacher")[STOP] == "true"


@pytest.mark.parametrize("verb", ["start", "stop", "status"])
def test_a_teacher_that_is_not_there_is_an_error(cluster, capsys, verb):
    assert main(["teacher", verb, "demo"]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert error == (
        "Error: there is no InferenceService 'demo' in namespace 'sdg', only demo-teacher."
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["Demo"],
        ["7b"],
        ["a/b"],
        ["isvc/teacher"],
        [""],
        ["teacher-"],
        ["teacher", "-n", "Sdg"],
        ["teacher", "-n", "a.b"],
    ],
)
@pytest.mark.parametrize("verb", ["start", "stop", "status"])
def test_what_cannot_be_a_name_is_a_mistake_of_the_user(cluster, capsys, verb, arguments):
    assert main(["teacher", verb, *arguments]) == 2
    assert "cannot be" in capsys.readouterr().err
    assert cluster.calls == []


def test_no_time_at_all_is_a_mistake_of_the_user(cluster, capsys):
    assert main(["teacher", "start", "demo-teacher", "--timeout", "0"]) == 2


def status_of(capsys, *options):
    assert main(["teacher", "status", "demo-teacher", *options]) == 0
    return capsys.readouterr().out


def test_status_tells_how_a_teacher_is(cluster, capsys):
    cluster.add(inference_service("demo-teacher", pod_annotations=SHIELD))
    assert status_of(capsys) == "demo-teacher: stopped\n  model  demo-teacher\n"
    cluster.set_annotation("demo-teacher", STOP, "false")
    assert status_of(capsys).startswith(
        "demo-teacher: starting, PredictorReady is False, the model is Pending\n"
    )
    start(quick_client(), "demo-teacher", run="run-1", tell=Lines())
    ready = status_of(capsys)
    assert ready.startswith(
        f"demo-teacher: ready\n  url    {URL}\n  model  demo-teacher\n  run    run-1"
    )
    cluster.controller.lag = 10
    cluster.set_annotation("demo-teacher", STOP, "true")
    assert status_of(capsys).startswith("demo-teacher: stopping\n")
    cluster.objects["sdg", "demo-teacher"]["metadata"]["deletionTimestamp"] = "now"
    assert status_of(capsys).startswith("demo-teacher: deleting\n")


def test_status_tells_why_a_model_cannot_be_loaded(cluster, capsys):
    cluster.controller = Controller(failure={"reason": "ModelLoadFailed", "message": "no file"})
    cluster.add(inference_service("demo-teacher", stopped=False))
    assert status_of(capsys).startswith("demo-teacher: failed, ModelLoadFailed: no file\n")


def test_status_for_programs_is_one_json_object(cluster, capsys):
    start(quick_client(), "demo-teacher", run="run-1", tell=Lines())
    found = json.loads(status_of(capsys, "--format", "json"))
    runs = found.pop("runs")
    assert found == {
        "state": "ready",
        "detail": "",
        "url": URL,
        "model_id": "demo-teacher",
        "started_by_run": True,
    }
    assert datetime.fromisoformat(runs["run-1"]) > datetime.now(UTC)


def test_a_teacher_that_does_not_come_up_is_left_with_a_word_on_how_to_stop_it(cluster, capsys):
    cluster.controller = Controller(failure={"reason": "ModelLoadFailed", "message": "no file"})
    assert main(["teacher", "start", "demo-teacher"]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert "To stop it: kfp-sdg teacher stop demo-teacher -n sdg" in error
    assert "cannot serve its model: ModelLoadFailed: no file" in error


def test_ctrl_c_ends_the_wait_and_says_how_to_stop_the_teacher(cluster):
    cluster.controller.never_ready = True
    process = subprocess.Popen(
        [sys.executable, "-m", "kfp_sdg.cli", "teacher", "start", "demo-teacher"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert "started, in namespace sdg" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output == ""
    assert "To stop it: kfp-sdg teacher stop demo-teacher -n sdg" in error
    assert "Traceback" not in error
