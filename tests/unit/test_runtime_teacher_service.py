"""The bodies of the components teacher/start and teacher/stop."""

from __future__ import annotations

import pytest

from fake_kserve import STOP, inference_service
from fake_kubernetes import FakeKubernetes
from kfp_sdg.kserve.uses import SHIELD
from kfp_sdg.runtime.teacher_service import start_teacher, stop_teacher


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeKubernetes() as cluster:
        service = inference_service("demo-teacher", stopped=False, pod_annotations=SHIELD)
        cluster.add(service)
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        yield cluster


@pytest.fixture
def outputs(tmp_path):
    """The files that take a task's output parameters; KFP makes no folder for them."""
    folder = tmp_path / "outputs"
    return {name: str(folder / name) for name in ("teacher_url", "model_id")}


def test_a_teacher_that_runs_is_joined(cluster, outputs, tmp_path, capsys):
    start_teacher(inference_service=" demo-teacher ", **outputs, run_id="run-1")
    stop_teacher(inference_service="demo-teacher", run_id="run-1")
    assert (tmp_path / "outputs/model_id").read_text() == "demo-teacher"
    assert (tmp_path / "outputs/teacher_url").read_text() == (
        "http://demo-teacher-predictor.sdg.svc.cluster.local/v1"
    )
    assert cluster.annotations("demo-teacher")[STOP] == "false"
    assert capsys.readouterr().out.splitlines() == [
        "demo-teacher: ready at http://demo-teacher-predictor.sdg.svc.cluster.local/v1",
        "demo-teacher: stays up, it was so before any run used it",
    ]


def test_a_model_whose_name_cannot_be_known_is_left_to_be_asked_for(cluster, outputs, tmp_path):
    cluster.add(inference_service("other", stopped=False, runtime="somebodys"))
    start_teacher(inference_service="other", **outputs)
    assert (tmp_path / "outputs/model_id").read_text() == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"inference_service": ""}, "component input '' cannot be the name of an InferenceService"),
        ({"inference_service": "A/b"}, "component input 'A/b' cannot be the name of an Inference"),
        ({"namespace": "my.project"}, "component input 'my.project' cannot be a namespace"),
        ({"timeout": 0}, "component inputs 'timeout' and 'lease' must be seconds, above 0 and at"),
        ({"lease": 10**15}, "above 0 and at most 1,000,000,000"),
        ({"lease": -1}, "component inputs 'timeout' and 'lease' must be seconds, above 0 and at"),
    ],
)
def test_an_input_that_is_wrong_is_told_before_anything_is_asked(
    cluster, outputs, capsys, wrong, message
):
    with pytest.raises(SystemExit) as ending:
        start_teacher(**{"inference_service": "demo-teacher", **outputs, **wrong})
    assert ending.value.code == 1
    assert message in capsys.readouterr().err
    assert cluster.calls == []


def test_a_stop_of_what_cannot_be_a_name_is_an_error(cluster, capsys):
    with pytest.raises(SystemExit):
        stop_teacher(inference_service="A/b")
    assert "cannot be the name of an InferenceService" in capsys.readouterr().err


def test_a_start_that_fails_says_why_in_its_last_words(cluster, outputs, capsys):
    with pytest.raises(SystemExit) as ending:
        start_teacher(inference_service="demo", **outputs)
    assert ending.value.code == 1
    assert capsys.readouterr().err == (
        "error: there is no InferenceService 'demo' in namespace 'sdg', only demo-teacher\n"
    )


def test_there_is_nothing_to_stop_where_there_is_no_teacher(cluster, capsys):
    stop_teacher(inference_service="demo")
    assert capsys.readouterr().out.startswith("warning: nothing to stop: there is no Inference")
