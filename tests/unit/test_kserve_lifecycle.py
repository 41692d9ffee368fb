"""A teacher is started for a run, and what goes wrong, against an API server over real HTTP."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fake_kserve import STOP, inference_service
from fake_kubernetes_calls import Refusal
from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve import NotFoundError, start
from kfp_sdg.kserve.uses import SHIELD, USES_ANNOTATION
from kserve_runs import QUICK, URL, is_up, quick_client, uses
from kserve_runs import client as client
from kserve_runs import cluster as cluster
from kserve_runs import said as said


def test_a_stopped_teacher_is_started_and_gives_its_address_and_model(cluster, client, said):
    endpoint = start(client, "teacher", run="run-1", tell=said)
    assert (endpoint.url, endpoint.model_id) == (URL, "teacher")
    assert is_up(cluster)
    assert uses(cluster)["startedByRun"] is True
    assert list(uses(cluster)["until"]) == ["run-1"]


def test_a_start_patches_the_annotations_of_the_version_it_read_and_nothing_else(
    cluster, client, said
):
    before = cluster.objects["sdg", "teacher"]["metadata"]["resourceVersion"]
    start(client, "teacher", run="run-1", tell=said)
    (patch,) = [call for call in cluster.calls if call.verb == "patch"]
    assert set(cluster.verbs()) == {"get", "patch"}
    assert patch.query["fieldValidation"] == "Strict"
    assert patch.body.keys() == {"metadata", "spec"}
    assert patch.body["spec"] == {"predictor": {"annotations": SHIELD}}
    assert patch.body["metadata"].keys() == {"resourceVersion", "annotations"}
    assert patch.body["metadata"]["annotations"].keys() == {STOP, USES_ANNOTATION}
    assert patch.body["metadata"]["resourceVersion"] == before


def test_what_happens_is_told_once_per_change(cluster, client, said):
    cluster.controller.loading = 5
    start(client, "teacher", tell=said)
    assert list(said) == [
        "teacher: started, in namespace sdg",
        "teacher: stopped, KServe is about to start it",
        "teacher: PredictorReady is False, the model is Pending",
        "teacher: PredictorReady is False (MinimumReplicasUnavailable: Deployment does not have "
        "minimum availability.), the model is Loading",
        f"teacher: ready at {URL}",
    ]


def test_a_long_wait_is_told_of_once_in_a_while(cluster, said):
    cluster.controller.loading = 30
    client = quick_client(pace=replace(QUICK, remind=0))
    start(client, "teacher", tell=said)
    reminder = r"teacher: still, after \d+ s: PredictorReady is False .* the model is Loading"
    assert sum(bool(re.fullmatch(reminder, line)) for line in said) == 29


def test_a_deployments_generation_is_not_taken_for_the_services(cluster, client, said):
    # the service's is 3; KServe copies the Deployment's, which is 1 after each start
    start(client, "teacher", tell=said)
    service = cluster.objects["sdg", "teacher"]
    assert service["metadata"]["generation"] == 3
    assert service["status"]["observedGeneration"] == 1


def test_a_load_that_takes_longer_than_a_deployment_may_is_no_failure(cluster, client, said):
    cluster.controller.overdue = True  # after 10 minutes, which large models need for their weights
    assert start(client, "teacher", tell=said).url == URL
    assert any("ProgressDeadlineExceeded" in line for line in said)


def test_ready_without_an_address_is_waited_for(cluster, client, said):
    cluster.controller.late_address = True
    assert start(client, "teacher", tell=said).url == URL
    assert "teacher: Ready is True, but there is no address yet" in said


def test_a_state_of_before_the_start_is_not_taken_for_the_new_one(cluster, client, said):
    # Somebody stops a running teacher, and a run starts it before KServe has done anything: then
    # it says that the teacher is ready while its pods are being deleted.
    cluster.add(inference_service("teacher", stopped=False))
    cluster.controller.lag = 3
    cluster.set_annotation("teacher", STOP, "true")
    client.get("teacher")
    cluster.controller._noticed["sdg/teacher"] = True  # it deletes, and says so later
    assert cluster.objects["sdg", "teacher"]["status"]["conditions"][2]["status"] == "True"
    endpoint = start(client, "teacher", tell=said)
    assert endpoint.url == URL
    assert said[1:3] == [
        "teacher: KServe has not seen the start yet",
        "teacher: PredictorReady is False, the model is Pending",
    ]


def test_a_stop_that_is_taken_back_before_anybody_noticed_needs_no_new_start(cluster, said):
    client = quick_client(pace=replace(QUICK, settle=0.1))
    cluster.add(inference_service("teacher", stopped=False))
    cluster.controller.lag = 1_000_000
    cluster.set_annotation("teacher", STOP, "true")
    assert start(client, "teacher", tell=said).url == URL  # believed after a while


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_model_that_cannot_be_loaded_fails_at_once_with_its_last_words(cluster, client, said):
    cluster.controller.failure = {
        "reason": "ModelLoadFailed",
        "message": "torch.OutOfMemoryError:\n  CUDA out of memory",
        "exitCode": 1,
        "location": "teacher-predictor-7c9",
    }
    with pytest.raises(ClusterError) as caught:
        start(client, "teacher", tell=said)
    assert str(caught.value) == (
        "InferenceService 'teacher' in namespace 'sdg' cannot serve its model: ModelLoadFailed "
        "(pod teacher-predictor-7c9, exit code 1): torch.OutOfMemoryError: CUDA out of memory. "
        "Look at its pod's log while it is there: `kubectl logs -n sdg -l "
        "serving.kserve.io/inferenceservice=teacher --all-containers --tail=50`"
    )


def test_a_failure_of_long_ago_is_no_failure(cluster, client, said):
    cluster.controller.settle(service := inference_service("teacher", stopped=False))
    service["status"]["modelStatus"]["lastFailureInfo"] = {"reason": "ModelLoadFailed"}
    cluster.controller._scripts["sdg/teacher"] = [service["status"]]
    cluster.add(service, settled=False)
    assert start(client, "teacher", tell=said).url == URL


def test_a_teacher_that_is_not_ready_in_time_fails_with_its_conditions(cluster, client, said):
    cluster.controller.never_ready = True
    with pytest.raises(ClusterError) as caught:
        start(client, "teacher", timeout=0.1, tell=said)
    text = str(caught.value)
    assert re.search(r"is not ready after \d+ s\. Its conditions: IngressReady is True; Pred", text)
    assert "the model is Loading" in text
    assert "kubectl get pods -n sdg -l serving.kserve.io/inferenceservice=teacher" in text


def test_a_teacher_that_somebody_stops_meanwhile_is_not_waited_for(cluster, client):
    def stop_it(line):
        if "Loading" in line:
            cluster.set_annotation("teacher", STOP, "true")

    cluster.controller.loading = 100
    with pytest.raises(ClusterError, match="was stopped by somebody else while it was being"):
        start(client, "teacher", tell=stop_it)


def test_a_teacher_that_is_being_deleted_is_not_started(cluster, client, said):
    cluster.objects["sdg", "teacher"]["metadata"]["deletionTimestamp"] = "2026-11-26T00:00:00Z"
    with pytest.raises(ClusterError, match="'teacher' in namespace 'sdg' is being deleted"):
        start(client, "teacher", tell=said)


def test_a_teacher_that_vanishes_while_it_starts_is_an_error(cluster, client):
    cluster.controller.loading = 100
    with pytest.raises(NotFoundError, match="nor any other"):
        start(client, "teacher", tell=lambda line: cluster.objects.clear())


def test_somebody_who_is_faster_is_let_first(cluster, client, said):
    faster = iter(range(5))

    def change(service):
        if next(faster, None) is not None:
            service["metadata"]["labels"] = {"changed": "yes"}
            cluster._touch(service)

    cluster.on_patch = change
    start(client, "teacher", run="run-1", tell=said)
    assert cluster.verbs().count("patch") == 6


def test_a_service_that_changes_all_the_time_is_given_up(cluster, client, said):
    cluster.on_patch = cluster._touch
    with pytest.raises(ClusterError, match="is changed by others all the time: 20 attempts"):
        start(client, "teacher", tell=said)


def test_an_admission_webhook_that_refuses_is_quoted(cluster, client, said):
    text = 'admission webhook "hardwareprofile.opendatahub.io" denied the request: no profile "a"'

    def refuse(service):
        raise Refusal(403, "Forbidden", text)

    cluster.on_patch = refuse
    with pytest.raises(ClusterError) as caught:
        start(client, "teacher", tell=said)
    assert str(caught.value) == (
        "the Kubernetes API refused to patch InferenceService 'teacher' in namespace 'sdg': " + text
    )


def test_a_teacher_that_runs_is_only_looked_at_by_a_run_without_an_id(cluster, client, said):
    cluster.add(inference_service("teacher", stopped=False))
    assert start(client, "teacher", tell=said).url == URL
    assert cluster.verbs() == ["get"]
