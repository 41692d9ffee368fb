"""The fake API server refuses what a real one refuses, and its KServe says what a real one says."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from copy import deepcopy

import pytest

from cluster.checks.crds import crd_schema, needs_crds
from cluster.checks.structural import problems
from fake_kserve import STOP, Controller, inference_service
from fake_kubernetes import FakeKubernetes

PATH = "/apis/serving.kserve.io/v1beta1/namespaces/sdg/inferenceservices/teacher"


@pytest.fixture
def cluster():
    with FakeKubernetes() as cluster:
        cluster.add(inference_service("teacher"))
        yield cluster


def patch(cluster, body, *, query="?fieldValidation=Strict", kind="application/merge-patch+json"):
    request = urllib.request.Request(
        cluster.url + PATH + query,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {cluster.token}", "Content-Type": kind},
        method="PATCH",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_merge_patch_changes_what_it_names_and_takes_away_what_it_says_is_null(cluster):
    status, service = patch(cluster, {"metadata": {"annotations": {STOP: None, "a": "b"}}})
    assert status == 200
    assert service["metadata"]["annotations"] == {
        "serving.kserve.io/deploymentMode": "Standard",
        "a": "b",
    }
    assert service["spec"] == inference_service("teacher")["spec"]


def test_an_annotation_restarts_the_pods_unless_the_predictor_has_its_own(cluster):
    shielded = {"spec": {"predictor": {"annotations": {"a": "of the pods"}}}}
    assert patch(cluster, {"metadata": {"annotations": {STOP: "false"}}, **shielded})[0] == 200
    cluster.controller.settle(service := cluster.objects["sdg", "teacher"])
    for name, rollouts in (("a", 0), ("b", 1)):
        assert patch(cluster, {"metadata": {"annotations": {name: "of the service"}}})[0] == 200
        cluster.controller.step(service)
        assert cluster.controller.rollouts == rollouts


def test_a_patch_of_an_old_version_is_a_conflict(cluster):
    version = cluster.objects["sdg", "teacher"]["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version, "annotations": {"a": "b"}}}
    assert patch(cluster, body)[0] == 200
    status, answer = patch(cluster, body)
    assert (status, answer["reason"]) == (409, "Conflict")


@pytest.mark.parametrize(
    "body", [{"specs": {}}, {"metadata": {"annotation": {}}}], ids=["object", "metadata"]
)
def test_an_unknown_field_is_refused_where_validation_is_strict(cluster, body):
    status, answer = patch(cluster, body)
    assert status == 400
    assert "strict decoding error: unknown field" in answer["message"]
    assert patch(cluster, body, query="")[0] == 200


def test_an_annotation_that_is_no_text_is_refused(cluster):
    assert patch(cluster, {"metadata": {"annotations": {"a": True}}})[0] == 422


def test_another_kind_of_patch_is_refused(cluster):
    assert patch(cluster, [], kind="application/json-patch+json")[0] == 415


@pytest.mark.shared
@needs_crds
@pytest.mark.parametrize(
    "controller",
    [Controller(late_address=True), Controller(failure={"reason": "ModelLoadFailed"})],
    ids=["up", "failed"],
)
def test_what_it_says_of_a_service_is_what_kserves_crd_allows(controller):
    service = inference_service("teacher")
    statuses = []
    for stop in ("true", "false", "true"):
        service["metadata"]["annotations"][STOP] = stop
        for _ in range(8):
            controller.step(service)
            statuses.append(deepcopy(service["status"]))
    assert len({status["modelStatus"]["transitionStatus"] for status in statuses}) == 3
    schema = crd_schema("serving.kserve.io/v1beta1", "InferenceService").schema
    for status in statuses:
        assert list(problems(schema["properties"]["status"], status)) == []
