"""The components around a teacher on KServe through KFP's local runner, each in a process."""

import os
import sys
from pathlib import Path

import pytest

from fake_kserve import STOP, Controller, inference_service
from fake_kubernetes import FakeKubernetes
from kfp_sdg.kserve.uses import USES_ANNOTATION

URL = "http://demo-teacher-predictor.sdg.svc.cluster.local/v1"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeKubernetes(controller=Controller(loading=0)) as cluster:
        cluster.add(inference_service("demo-teacher"))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path, namespace="other")))
        yield cluster


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a pipeline function in KFP's local runner."""
    from kfp import local

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(tmp_path / "outputs"),
        raise_on_error=True,
    )


def test_a_teacher_is_up_for_the_time_of_a_pipeline_and_gives_its_url(cluster, run, capfd):
    from kfp import dsl

    from kfp_sdg.components.teacher.start import start_teacher
    from kfp_sdg.components.teacher.stop import stop_teacher

    @dsl.component(base_image="python:3.12", install_kfp_package=False)
    def asks(teacher_url: str, model_id: str):
        print(f"asks {model_id} at {teacher_url}")

    @dsl.pipeline
    def whole(teacher: str = "demo-teacher"):
        ending = stop_teacher(
            inference_service=teacher, namespace="sdg", run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER
        )
        with dsl.ExitHandler(ending):
            ready = start_teacher(
                inference_service=teacher, namespace="sdg", run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER
            )
            asks(**ready.outputs)

    whole()
    assert f"asks demo-teacher at {URL}\n" in "".join(capfd.readouterr())
    assert cluster.annotations("demo-teacher")[STOP] == "true"
    assert USES_ANNOTATION not in cluster.annotations("demo-teacher")
    start, stop = patches(cluster)
    assert start[STOP] == "false"
    assert '"startedByRun": true' in start[USES_ANNOTATION]
    assert stop == {STOP: "true", USES_ANNOTATION: None}


def test_a_teacher_is_stopped_after_a_task_that_fails(cluster, run, capfd):
    from kfp import dsl

    from kfp_sdg.components.teacher.start import start_teacher
    from kfp_sdg.components.teacher.stop import stop_teacher

    @dsl.component(base_image="python:3.12", install_kfp_package=False)
    def fails(teacher_url: str):
        raise SystemExit(f"no answer from {teacher_url}")

    @dsl.pipeline
    def failing():
        with dsl.ExitHandler(stop_teacher(inference_service="demo-teacher", namespace="sdg")):
            ready = start_teacher(inference_service="demo-teacher", namespace="sdg")
            fails(teacher_url=ready.outputs["teacher_url"])

    with pytest.raises(RuntimeError):
        failing()
    assert f"no answer from {URL}" in "".join(capfd.readouterr())
    assert [patch[STOP] for patch in patches(cluster)] == ["false", "true"]


def patches(cluster):
    """Return the annotations of all patches that were applied."""
    done = [call for call in cluster.calls if call.verb == "patch"]
    assert {call.status for call in done} <= {200}
    return [call.body["metadata"]["annotations"] for call in done]
