"""Runs and people share a teacher: it is up as long as one of them uses it, and no longer."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fake_kserve import STOP, inference_service
from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve import keep, release, start, stop
from kfp_sdg.kserve.uses import SHIELD, USES_ANNOTATION
from kserve_runs import QUICK, Lines, is_up, quick_client, uses
from kserve_runs import client as client
from kserve_runs import cluster as cluster
from kserve_runs import said as said


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


def test_the_time_of_an_entry_is_a_lease_from_now(cluster, client, said):
    start(client, "teacher", run="run-1", lease=3600, tell=said)
    until = datetime.fromisoformat(uses(cluster)["until"]["run-1"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)


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
