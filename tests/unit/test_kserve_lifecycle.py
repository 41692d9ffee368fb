"""A teacher is started for a run and stopped after it, against an API server over real HTTP."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fake_kserve import STOP, inference_service
from fake_kubernetes import FakeKubernetes
from fake_kubernetes_calls import Refusal
from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve import NotFoundError, keep, release, start, stop
from kfp_sdg.kserve.uses import SHIELD, USES_ANNOTATION
from kserve_runs import QUICK, Lines, quick_client

URL = "http://teacher-predictor.sdg.svc.cluster.local/v1"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeKubernetes() as cluster:
        cluster.add(inference_service("teacher"))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        yield cluster


@pytest.fixture
def said():
    return Lines()


@pytest.fixture
def client(cluster, said):
    return quick_client(tell=said)


def uses(cluster):
    return json.loads(cluster.annotations("teacher").get(USES_ANNOTATION, "null"))


def is_up(cluster):
    return cluster.annotations("teacher")[STOP] == "false"


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


# -- sharing ---------------------------------------------------------------------------------------


def test_the_run_that_started_a_teacher_stops_it(cluster, client, said):
    start(client, "teacher", run="run-1", tell=said)
    stop(client, "teacher", run="run-1", tell=said)
    assert not is_up(cluster)
    assert uses(cluster) is None
    assert said[-1] == "teacher: stopped, its pods are gone or about to go"


@pytest.mark.parametrize("first", ["run-1", "run-2"])
def test_of_two_runs_the_one_that_ends_last_stops_the_teacher(cluster, client, said, first):
    for run in ("run-1", "run-2"):
        start(client, "teacher", run=run, tell=said)
    (last,) = {"run-1", "run-2"} - {first}
    stop(client, "teacher", run=first, tell=said)
    assert is_up(cluster)
    assert re.fullmatch(rf"teacher: stays up, 1 run uses it until .* UTC at most: {last}", said[-1])
    stop(client, "teacher", run=last, tell=said)
    assert not is_up(cluster)


def test_a_run_that_never_stops_its_teacher_does_not_keep_it_for_ever(cluster, client, said):
    start(client, "teacher", run="crashed", lease=-1, tell=said)
    start(client, "teacher", run="run-2", tell=said)
    stop(client, "teacher", run="run-2", tell=said)
    assert not is_up(cluster)


def test_a_teacher_that_somebody_else_started_is_not_stopped(cluster, client, said):
    cluster.add(inference_service("teacher", stopped=False, pod_annotations=SHIELD))
    start(client, "teacher", run="run-1", tell=said)
    assert uses(cluster)["startedByRun"] is False
    stop(client, "teacher", run="run-1", tell=said)
    assert is_up(cluster)
    assert uses(cluster) is None
    assert said[-1] == "teacher: stays up, it was so before any run used it"


def test_runs_that_share_a_teacher_restart_none_of_its_pods(cluster, client, said):
    for run in ("run-1", "run-2", "run-3"):
        start(client, "teacher", run=run, tell=said)
    stop(client, "teacher", run="run-2", tell=said)
    keep(client, "teacher", tell=said)
    stop(client, "teacher", run="run-1", tell=said)
    client.get("teacher")
    assert cluster.controller.rollouts == 0
    assert list(uses(cluster)["until"]) == ["run-3"]


def test_a_teacher_whose_pods_a_note_would_restart_is_left_as_it_is(cluster, client, said):
    cluster.add(inference_service("teacher", stopped=False))  # in the dashboard
    for run in ("run-1", "run-2"):
        start(client, "teacher", run=run, tell=said)
    assert "teacher: is up, and not noted to be used: a note would restart its pods" in said
    for run in ("run-1", "run-2"):
        stop(client, "teacher", run=run, tell=said)
    assert is_up(cluster)
    assert "patch" not in cluster.verbs()
    assert said[-1] == "teacher: stays up, it was so before any run used it"


def test_a_run_whose_teacher_somebody_stopped_and_started_again_is_respected(cluster, client, said):
    start(client, "teacher", run="run-1", tell=said)
    cluster.set_annotation("teacher", STOP, "true")  # in the dashboard
    start(client, "teacher", run="run-2", tell=said)
    stop(client, "teacher", run="run-2", tell=said)
    assert is_up(cluster)
    stop(client, "teacher", run="run-1", tell=said)
    assert not is_up(cluster)


def test_a_run_that_stops_what_somebody_stopped_already_only_crosses_itself_out(
    cluster, client, said
):
    for run in ("run-1", "run-2"):
        start(client, "teacher", run=run, tell=said)
    cluster.set_annotation("teacher", STOP, "true")
    stop(client, "teacher", run="run-1", tell=said)
    assert not is_up(cluster)
    assert list(uses(cluster)["until"]) == ["run-2"]
    assert "teacher: is to be stopped already" in said


def test_without_a_run_id_the_teacher_is_stopped_unless_a_named_run_uses_it(cluster, client, said):
    start(client, "teacher", tell=said)
    stop(client, "teacher", tell=said)
    assert not is_up(cluster)
    start(client, "teacher", tell=said)
    start(client, "teacher", run="run-2", tell=said)
    stop(client, "teacher", tell=said)
    assert is_up(cluster)


def test_starting_and_stopping_twice_does_no_harm(cluster, client, said):
    for _ in range(2):
        start(client, "teacher", run="run-1", tell=said)
    assert list(uses(cluster)["until"]) == ["run-1"]
    assert uses(cluster)["startedByRun"] is True
    for _ in range(2):
        stop(client, "teacher", run="run-1", tell=said)
    assert not is_up(cluster)


def test_a_stop_after_a_start_that_failed_frees_the_gpus(cluster, client, said):
    cluster.controller.failure = {"reason": "ModelLoadFailed", "message": "no such file"}
    with pytest.raises(ClusterError):
        start(client, "teacher", run="run-1", tell=said)
    stop(client, "teacher", run="run-1", tell=said)
    assert not is_up(cluster)


def test_a_run_that_is_not_noted_leaves_the_teacher_and_says_how_to_stop_it(cluster, client, said):
    start(client, "teacher", run="run-1", tell=said)
    with cluster._lock:  # somebody replaced the object by what git has
        del cluster.objects["sdg", "teacher"]["metadata"]["annotations"][USES_ANNOTATION]
    stop(client, "teacher", run="run-1", tell=said)
    assert is_up(cluster)
    assert said[-1].endswith("by hand: kfp-sdg teacher stop teacher -n sdg")


def test_a_stop_of_what_is_being_deleted_is_no_failure(cluster, client, said):
    start(client, "teacher", run="run-1", tell=said)
    cluster.objects["sdg", "teacher"]["metadata"]["deletionTimestamp"] = "2026-11-26T00:00:00Z"
    stop(client, "teacher", run="run-1", tell=said)
    assert said[-1] == "teacher: is being deleted, its pods go with it"


def test_a_stop_that_can_no_longer_be_watched_is_no_failure(cluster, client, said):
    cluster.add(inference_service("teacher", stopped=False))
    cluster.controller.lag = 1_000_000

    def delete(service):
        cluster.on_patch = None
        threading.Timer(0.05, cluster.objects.clear).start()

    cluster.on_patch = delete
    release(client, "teacher", tell=said)
    assert "is to be stopped, and cannot be looked at any more: there is no Infer" in said[-1]


def test_runs_that_start_and_stop_at_the_same_time_lose_nobodys_entry(cluster, said):
    def live(run):
        client = quick_client()
        for _ in range(3):
            start(client, "teacher", run=run, tell=Lines())
            assert run in uses(cluster)["until"]
            assert is_up(cluster)
            stop(client, "teacher", run=run, tell=Lines())

    errors = []

    def guarded(run):
        try:
            live(run)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f"run-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not is_up(cluster)
    assert uses(cluster) is None


def test_an_annotation_that_somebody_spoilt_counts_as_nobodys_use(cluster, client, said):
    times = ("tomorrow", "0001-01-01T00:00:00+14:00")
    spoilt = [json.dumps({"until": until}) for until in ([], *({"run": time} for time in times))]
    for text in ("not JSON", "[]", "7", '"x"', *spoilt):
        cluster.set_annotation("teacher", USES_ANNOTATION, text)
        start(client, "teacher", run="run-1", tell=said)
        stop(client, "teacher", run="run-1", tell=said)
        assert uses(cluster) is None


# -- people ----------------------------------------------------------------------------------------


def test_a_teacher_that_a_person_starts_is_kept_by_all_runs(cluster, client, said):
    keep(client, "teacher", tell=said)
    start(client, "teacher", run="run-1", tell=said)
    stop(client, "teacher", run="run-1", tell=said)
    assert is_up(cluster)


def test_a_person_who_starts_a_runs_teacher_takes_it_over(cluster, client, said):
    start(client, "teacher", run="run-1", tell=said)
    keep(client, "teacher", tell=said)
    stop(client, "teacher", run="run-1", tell=said)
    assert is_up(cluster)


def test_a_person_does_not_stop_a_teacher_that_runs_use_unless_told_to(cluster, client, said):
    start(client, "teacher", run="run-1", tell=said)
    with pytest.raises(ClusterError, match=r"is in use: 1 run uses it .*: run-1\. .*--force"):
        release(client, "teacher", tell=said)
    assert is_up(cluster)
    release(client, "teacher", force=True, tell=said)
    assert not is_up(cluster)
    assert uses(cluster) is None


def test_a_persons_stop_is_watched_no_longer_than_asked(cluster, said):
    client = quick_client(pace=replace(QUICK, stopping=0.1))
    cluster.add(inference_service("teacher", stopped=False))
    cluster.controller.lag = 1_000_000
    release(client, "teacher", tell=said)
    assert re.search(r"is to be stopped, but KServe has not said for 0\.1 s that it is", said[-1])


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


def test_the_time_of_an_entry_is_a_lease_from_now(cluster, client, said):
    start(client, "teacher", run="run-1", lease=3600, tell=said)
    until = datetime.fromisoformat(uses(cluster)["until"]["run-1"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)


def test_a_teacher_that_runs_is_only_looked_at_by_a_run_without_an_id(cluster, client, said):
    cluster.add(inference_service("teacher", stopped=False))
    assert start(client, "teacher", tell=said).url == URL
    assert cluster.verbs() == ["get"]
