"""kfp-sdg submit: what it sends, what it prints, and what it exits with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import yaml

from certificates import private_authority
from fake_kfp import FakeKfp
from fake_kfp_calls import Fault, Moment
from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.submit import Server, follow, get_run, kubeflow, package_of_run
from kfp_sdg.cluster.submit.credentials import FileToken
from signals import reset_signals
from submit_runs import ALL, QUICK, ROWS, SUCCESS, hurry, write_inputs


@pytest.fixture
def kfp(monkeypatch):
    hurry(monkeypatch)
    with FakeKfp(script=SUCCESS) as kfp:
        yield kfp


@pytest.fixture
def inputs(tmp_path):
    return write_inputs(tmp_path)


def submit(kfp, inputs, *more):
    pipeline, rows = inputs
    return main(["submit", str(pipeline), "--host", kfp.url, "--input", str(rows), *more])


def words(text):
    return " ".join(text.split())


def test_a_pipeline_is_uploaded_run_and_followed_to_its_end(kfp, inputs, capsys):
    assert submit(kfp, inputs) == 0
    printed = capsys.readouterr()
    assert printed.out == "run-1\n"
    assert "run        run-1, in the experiment kfp-sdg" in printed.err
    assert f"dashboard  {kfp.url}/#/runs/details/run-1" in printed.err
    assert "[1/3] load  running" in printed.err
    assert "[2/3] keep_good  succeeded  12 s" in printed.err
    assert "Succeeded after 12 s: 3 succeeded" in printed.err
    (body,) = kfp.bodies("POST runs")
    assert json.loads(body["runtime_config"]["parameters"]["seed_samples"]) == ROWS
    version = next(iter(kfp.versions.values()))
    assert version["name"].startswith("demo-")
    assert "rename-it" in version["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]


def test_the_same_content_is_uploaded_once(kfp, inputs, capsys):
    assert submit(kfp, inputs, "--no-wait") == 0
    assert submit(kfp, inputs, "--no-wait") == 0
    assert (len(kfp.pipelines), len(kfp.versions), len(kfp.experiments)) == (1, 1, 1)
    assert len(kfp.runs) == 2
    assert "was there already" in capsys.readouterr().err
    pipeline, _ = inputs
    pipeline.write_text(pipeline.read_text().replace("1.0, op", "2.0, op"))
    assert submit(kfp, inputs, "--no-wait") == 0
    assert (len(kfp.pipelines), len(kfp.versions)) == (1, 2)


def test_without_waiting_nobody_looks_at_the_run(kfp, inputs, capsys):
    assert submit(kfp, inputs, "--no-wait") == 0
    assert capsys.readouterr().out == "run-1\n"
    assert not [name for name in kfp.names() if name.startswith("GET runs")]


@pytest.mark.parametrize("state", ["FAILED", "ERROR", "CANCELED", "SKIPPED"])
def test_every_end_but_success_is_a_failure(kfp, inputs, capsys, state):
    kfp.script = [Moment("RUNNING", {"load": "running"}), Moment(state, {"load": "succeeded"})]
    assert submit(kfp, inputs) == 1
    error = words(capsys.readouterr().err)
    assert f"{state.capitalize()} after" in error
    assert "Error: the run 'demo" in error


def test_states_on_the_way_do_not_end_it(kfp, inputs, capsys):
    kfp.script = [
        Moment("PAUSED"),
        Moment("A_STATE_OF_LATER"),
        Moment("CANCELING", {"load": "running"}),
        Moment("CANCELED", {"load": "failed"}),
    ]
    assert submit(kfp, inputs) == 1
    error = words(capsys.readouterr().err)
    assert "The run is paused" in error
    assert "Somebody ends the run" in error
    assert "[1/3] load canceled" in error
    assert "was ended by somebody before it was done" in error


def test_a_failing_task_is_told_with_its_last_words_and_where_its_log_is(kfp, inputs, capsys):
    kfp.script = [
        Moment("FAILED", {"load": "succeeded", "keep-good": "failed*2"}),
    ]
    kfp.logs = {"impl": "warning: x\nerror: block 'keep_good': no column 'score'\nI0101 done\n"}
    assert submit(kfp, inputs) == 1
    error = words(capsys.readouterr().err)
    assert "keep_good failed, 2 retries" in error
    assert "rename_it" not in error
    assert "failed at keep_good: block 'keep_good': no column 'score'. Its log:" in error
    assert f"{kfp.url}/#/runs/details/run-1, or `kubectl logs -n kubeflow demo-x7k2p-impl" in error


def test_what_the_server_says_of_a_task_comes_before_its_log(kfp, inputs, capsys):
    kfp.script = [
        Moment("FAILED", {"load": "failed"}, task_errors={"executor": "OOMKilled (exit code 137)"})
    ]
    assert submit(kfp, inputs) == 1
    assert "failed at load: OOMKilled (exit code 137). Its log:" in words(capsys.readouterr().err)


def test_a_run_that_fails_before_any_task_says_why(kfp, inputs, capsys):
    kfp.script = [Moment("FAILED", error="the workflow is invalid: no such secret")]
    assert submit(kfp, inputs) == 1
    assert "failed: the workflow is invalid: no such secret; see" in words(capsys.readouterr().err)


def test_a_driver_that_fails_is_its_tasks_failure(kfp, inputs, capsys):
    kfp.script = [Moment("FAILED", {"load": "succeeded", "keep-good": "driver failed"})]
    kfp.logs = {"container-driver": "KFP driver: cannot resolve input\n"}
    assert submit(kfp, inputs) == 1
    assert "failed at keep_good: KFP driver: cannot resolve" in words(capsys.readouterr().err)


def test_a_task_from_the_cache_is_told_apart(kfp, inputs, capsys):
    kfp.script = [Moment("SUCCEEDED", ALL | {"load": "cached"})]
    assert submit(kfp, inputs) == 0
    assert "[1/3] load  from KFP's cache\n" in capsys.readouterr().err


def test_a_server_that_is_away_for_a_while_is_waited_for(kfp, inputs, capsys):
    kfp.fail(
        Fault("GET runs/", 502, "<html>Bad gateway</html>"),
        Fault("GET runs/"),
        Fault("GET runs/", 503),
    )
    assert submit(kfp, inputs) == 0
    assert "does not answer as it should, trying again" in capsys.readouterr().err


def test_a_run_whose_answer_is_lost_is_not_started_twice(kfp, inputs, capsys):
    kfp.fail(Fault("POST runs", after=True))
    assert submit(kfp, inputs) == 1
    assert len(kfp.bodies("POST runs")) == 1
    error = words(capsys.readouterr().err)
    assert "it may be there all the same, look before you try again" in error


def test_a_run_that_is_refused_for_a_while_is_started_in_the_end(kfp, inputs):
    kfp.fail(Fault("POST runs", 503))
    assert submit(kfp, inputs, "--no-wait") == 0
    assert len(kfp.runs) == 1


def test_a_token_that_expires_while_a_run_is_watched_is_read_anew(kfp, inputs, tmp_path, capsys):
    kfp.token = "first"
    token = tmp_path / "token"
    token.write_text("first\n")
    assert submit(kfp, inputs, "--token-file", str(token), "--no-wait") == 0
    told = []

    class Observer:
        def run_changed(self, run):
            if run.state == "RUNNING":
                kfp.token = "second"

        def task_changed(self, index, view, before):
            """Take nothing of it."""

        looked = run_changed

    def renew(line):
        told.append(line)
        token.write_text("second")

    server = Server(kubeflow(kfp.url, token=FileToken(token)), patience=QUICK, tell=renew)
    package = package_of_run(server, get_run(server, "run-1"))
    assert follow(server, "run-1", package.tasks, Observer()).state == "SUCCEEDED"
    assert [
        f"the token is no longer accepted: write a fresh one to {token}" in t for t in told
    ] == [True]


def test_a_token_of_the_environment_is_shown_and_never_printed(kfp, inputs, monkeypatch, capsys):
    kfp.token = "sha256~secret-token"
    monkeypatch.setenv("KFP_SDG_TOKEN", "sha256~secret-token")
    assert submit(kfp, inputs) == 0
    assert "sha256" not in "".join(capsys.readouterr())
    assert main(["submit", "--help"]) == 0
    assert "sha256" not in "".join(capsys.readouterr())


def test_a_wrong_token_is_told_at_once(kfp, inputs, monkeypatch, capsys):
    kfp.token = "right"
    monkeypatch.setenv("KFP_SDG_TOKEN", "wrong")
    assert submit(kfp, inputs) == 1
    assert "does not accept the token: set KFP_SDG_TOKEN to a fresh one" in words(
        capsys.readouterr().err
    )
    assert [str(call) for call in kfp.calls] == ["GET healthz", "GET healthz"]


def test_in_a_pod_of_kubeflow_the_projected_token_is_found(kfp, inputs, tmp_path, monkeypatch):
    kfp.token = "projected"
    file = tmp_path / "projected-token"
    file.write_text("projected")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    assert submit(kfp, inputs, "--no-wait") == 0


def test_the_environment_may_name_the_server(kfp, inputs, monkeypatch, capsys):
    pipeline, rows = inputs
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", f"{kfp.url}/#/runs")
    assert main(["submit", str(pipeline), "--input", str(rows), "--no-wait"]) == 0
    assert f"dashboard  {kfp.url}/#/runs/details/run-1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "authservice_session=abc",
        "Cookie: theme=dark; authservice_session=abc\n",
        "# Netscape HTTP Cookie File\n\n"
        "#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tauthservice_session\tabc\n",
    ],
)
def test_kubeflow_is_entered_with_the_cookie_of_a_browser(
    monkeypatch, inputs, tmp_path, capsys, text
):
    hurry(monkeypatch)
    file = tmp_path / "cookies"
    file.write_text(text)
    with FakeKfp(
        multi_user=True, base="/pipeline", cookie="authservice_session=abc", script=SUCCESS
    ) as kfp:
        more = ("-n", "my-profile", "--cookies", str(file))
        assert submit(kfp, inputs, *more) == 0
        assert {e["namespace"] for e in kfp.experiments.values()} == {"my-profile"}
        assert {p["namespace"] for p in kfp.pipelines.values()} == {"my-profile"}
        assert f"{kfp.url}/#/runs/details/run-1" in capsys.readouterr().err


def test_a_login_page_is_told_for_what_it_is(monkeypatch, inputs, capsys):
    hurry(monkeypatch)
    with FakeKfp(cookie="authservice_session=abc", script=SUCCESS) as kfp:
        assert submit(kfp, inputs) == 1
    assert "answers with a web page and not with the API" in words(capsys.readouterr().err)


def test_a_shared_server_wants_to_know_the_namespace(monkeypatch, inputs, capsys):
    hurry(monkeypatch)
    with FakeKfp(multi_user=True, script=SUCCESS) as kfp:
        assert submit(kfp, inputs) == 2
    assert "name the namespace of your profile with -n" in words(capsys.readouterr().err)


def test_nothing_is_sent_before_the_parameters_are_right(kfp, inputs, tmp_path, capsys):
    params = tmp_path / "params.yaml"
    params.write_text("max_rejeted: 5%\nseed_samples: 7\n")
    assert submit(kfp, inputs, "--params", str(params), "-p", "x=https://u:pw@h/") == 2
    error = capsys.readouterr().err
    assert f"{params}:1:1: error: demo has no parameter 'max_rejeted'" in error
    assert "--param x: error: demo has no parameter 'x'" in error
    assert kfp.calls == []


def test_a_server_with_an_authority_of_its_own(monkeypatch, inputs, tmp_path, capsys):
    hurry(monkeypatch)
    authority, context = private_authority(tmp_path)
    with FakeKfp(tls=context, script=SUCCESS) as kfp:
        assert submit(kfp, inputs) == 1
        assert "Name the authority of its certificate with --ca FILE" in words(
            capsys.readouterr().err
        )
        assert submit(kfp, inputs, "--ca", str(authority)) == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert submit(kfp, inputs) == 0
        monkeypatch.delenv("SSL_CERT_FILE")
        assert submit(kfp, inputs, "--insecure") == 0


def test_nobody_there_is_told_with_the_address(monkeypatch, inputs, capsys):
    hurry(monkeypatch)
    pipeline, rows = inputs
    arguments = ["submit", str(pipeline), "--input", str(rows), "--host", "localhost:9"]
    assert main(arguments) == 1
    assert "cannot reach Kubeflow Pipelines at http://localhost:9" in words(capsys.readouterr().err)


def test_no_server_at_all_is_a_mistake(monkeypatch, inputs, capsys):
    hurry(monkeypatch)
    pipeline, rows = inputs
    assert main(["submit", str(pipeline), "--input", str(rows)]) == 2
    assert "no server of pipelines is named: give --host URL" in words(capsys.readouterr().err)


def test_a_compiled_file_is_sent_as_it_is(kfp, inputs, tmp_path, capsys):
    pipeline, rows = inputs
    compiled = tmp_path / "demo.kfp.yaml"
    assert main(["compile", str(pipeline), "-o", str(compiled)]) == 0
    assert submit(kfp, (compiled, rows), "--no-wait") == 0
    assert submit(kfp, inputs, "--no-wait") == 0
    assert len(kfp.versions) == 1  # it is the same content, and has the same name
    capsys.readouterr()
    assert submit(kfp, (compiled, rows), "--memory-limit", "2Gi") == 2
    assert "is compiled already; give the option to kfp-sdg compile" in words(
        capsys.readouterr().err
    )


def test_kubernetes_resources_are_sent_too(kfp, inputs, tmp_path):
    pipeline, rows = inputs
    resources = tmp_path / "demo.crd.yaml"
    assert main(["compile", str(pipeline), "--format", "crd", "-o", str(resources)]) == 0
    version = next(
        d for d in yaml.safe_load_all(resources.read_text()) if d["kind"] == "PipelineVersion"
    )
    assert submit(kfp, (resources, rows), "--no-wait") == 0
    assert [v["name"] for v in kfp.versions.values()] == [version["metadata"]["name"]]


def test_machines_read_objects(kfp, inputs, capsys):
    assert submit(kfp, inputs, "--log-format", "json") == 0
    printed = capsys.readouterr()
    assert printed.out == "run-1\n"
    events = [json.loads(line) for line in printed.err.splitlines()]
    assert events[0]["event"] == "submitted"
    assert events[0]["tasks"] == ["load", "keep_good", "rename_it"]
    states = [e["state"] for e in events if e["event"] == "run_state"]
    assert states == ["PENDING", "RUNNING", "SUCCEEDED"]
    ends = {e["task"]: e for e in events if e["event"] == "task_state"}
    assert {task: e["state"] for task, e in ends.items()} == dict.fromkeys(
        ["load", "keep_good", "rename_it"], "succeeded"
    )
    assert ends["load"]["seconds"] == 12.0
    assert events[-1]["event"] == "run_ended"
    assert events[-1]["state"] == "SUCCEEDED"


@pytest.mark.parametrize("terminate", [False, True])
def test_ctrl_c_leaves_the_run_going_unless_told_otherwise(kfp, inputs, terminate):
    kfp.script = [Moment("RUNNING", {"load": "running"})]
    pipeline, rows = inputs
    option = ["--terminate-on-interrupt"] if terminate else []
    following = subprocess.Popen(
        [
            *(sys.executable, "-m", "kfp_sdg.cli", "submit", str(pipeline), "--host", kfp.url),
            *("--input", str(rows)),
            *option,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=reset_signals,
        env={**os.environ, "COLUMNS": "300"},
    )
    for line in following.stderr:
        if "load  running" in line:
            break
    following.send_signal(signal.SIGINT)
    _, rest = following.communicate(timeout=30)
    assert following.returncode == 130
    ended = [str(call) for call in kfp.calls if ":terminate" in call.path]
    assert bool(ended) == terminate
    if not terminate:
        again = f"kfp-sdg submit --follow run-1 --host {kfp.url}"
        assert f"The run goes on. To follow it again: {again}" in rest


def test_a_run_is_followed_again_later(kfp, inputs, capsys):
    assert submit(kfp, inputs, "--no-wait") == 0
    capsys.readouterr()
    assert main(["submit", "--follow", "run-1", "--host", kfp.url]) == 0
    assert "[3/3] rename_it  succeeded  12 s" in capsys.readouterr().err
    assert main(["submit", "--follow", "run-9", "--host", kfp.url]) == 1
    assert "does not know the run run-9" in words(capsys.readouterr().err)


def test_a_pipeline_and_a_run_at_once_are_a_mistake(kfp, inputs, capsys):
    assert submit(kfp, inputs, "--follow", "run-1") == 2
    assert main(["submit", "--host", kfp.url]) == 2
    assert "give a PIPELINE to run, or a run's id with --follow" in words(capsys.readouterr().err)
