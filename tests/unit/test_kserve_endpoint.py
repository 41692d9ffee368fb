"""Where a teacher is asked, and what its model is called there."""

from __future__ import annotations

import pytest

from kfp_sdg.kserve.endpoint import base_url, served_model
from kfp_sdg.kserve.service import InferenceService


def service(*, status=None, **predictor):
    return InferenceService(
        {"metadata": {"name": "teacher"}, "spec": {"predictor": predictor}, "status": status or {}}
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://t-predictor.sdg.svc.cluster.local", "http://t-predictor.sdg.svc.cluster.local/v1"),
        ("http://t-predictor.sdg.svc:8080/", "http://t-predictor.sdg.svc:8080/v1"),
        ("https://t-predictor.sdg.svc.cluster.local:8443", None),
        ("https://t.example.com/v1", "https://t.example.com/v1"),
        ("https://t.example.com/v1/", "https://t.example.com/v1"),
        ("https://t.example.com/sdg/t", "https://t.example.com/sdg/t/v1"),
        ("http://t.sdg.svc.cluster.local/v1/models/t:predict", "http://t.sdg.svc.cluster.local/v1"),
        ("http://t.sdg.svc.cluster.local/openai/v1", "http://t.sdg.svc.cluster.local/openai/v1"),
        ("http://[fd00::1]:8080", "http://[fd00::1]:8080/v1"),
    ],
)
def test_the_base_url_ends_in_v1(address, expected):
    found = base_url(service(status={"address": {"url": address}}))
    assert found == (expected or f"{address}/v1")


def test_the_address_inside_of_the_cluster_comes_before_the_route():
    status = {"url": "https://route.example.com", "address": {"url": "http://inside"}}
    assert base_url(service(status=status)) == "http://inside/v1"
    del status["address"]
    assert base_url(service(status=status)) == "https://route.example.com/v1"
    assert base_url(service(status={"address": {}})) == ""
    assert base_url(service()) == ""


def test_kserves_hugging_face_server_has_its_api_below_openai():
    found = service(
        status={"address": {"url": "http://inside"}}, model={"modelFormat": {"name": "huggingface"}}
    )
    assert base_url(found) == "http://inside/openai/v1"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--served-model-name=mixtral"], "mixtral"),
        (["--served-model-name", "mixtral"], "mixtral"),
        (["--served-model-name", "mixtral", "alias", "--dtype=auto"], "mixtral"),
        (["--served-model-name=a", "--served-model-name=b"], "b"),
        (["--served-model-name={{.Name}}-v1"], "teacher-v1"),
        (["--model=/mnt/models"], ""),
        (["--served-model-name"], ""),
        ([], ""),
    ],
)
def test_the_model_is_called_as_the_services_arguments_say(arguments, expected):
    found = service(model={"runtime": "somebodys", "args": arguments})
    assert served_model(found) == expected
    assert served_model(service(containers=[{"args": arguments}])) == expected


@pytest.mark.parametrize(
    ("predictor", "status", "expected"),
    [
        ({"model": {"runtime": "kfp-sdg-vllm"}}, {}, "teacher"),
        ({"model": {}}, {"servingRuntimeName": "kfp-sdg-vllm"}, "teacher"),
        ({"model": {}}, {"clusterServingRuntimeName": "kserve-vllmserver"}, "teacher"),
        ({"model": {"runtime": "somebodys"}}, {"servingRuntimeName": "kfp-sdg-vllm"}, ""),
        ({}, {}, ""),
    ],
)
def test_without_such_an_argument_a_runtime_that_is_known_decides(predictor, status, expected):
    assert served_model(service(status=status, **predictor)) == expected


def test_a_service_without_anything_in_it_is_neither_ready_nor_stopped():
    empty = InferenceService({})
    assert {empty.is_ready, empty.is_stopped, empty.is_to_be_stopped} == {False}
    assert empty.failure == ""
    assert (empty.name, empty.conditions, empty.addresses, empty.model_state) == ("", (), (), "")


@pytest.mark.parametrize("annotation", ["true", "True", "TRUE"])
def test_kserve_takes_a_stop_in_any_case_of_letters(annotation):
    found = {"metadata": {"annotations": {"serving.kserve.io/stop": annotation}}}
    assert InferenceService(found).is_to_be_stopped


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"transitionStatus": "InvalidSpec"}, "InvalidSpec"),
        ({"transitionStatus": "BlockedByFailedLoad"}, "BlockedByFailedLoad"),
        ({"states": {"targetModelState": "FailedToLoad"}}, "FailedToLoad"),
        (
            {
                "transitionStatus": "InvalidSpec",
                "lastFailureInfo": {
                    "reason": "NoSupportingRuntime",
                    "message": "No runtime\nfound to support specified predictor",
                },
            },
            "NoSupportingRuntime: No runtime found to support specified predictor",
        ),
        ({"transitionStatus": "InProgress", "lastFailureInfo": {"reason": "ModelLoadFailed"}}, ""),
    ],
)
def test_a_failure_is_what_kserve_says_of_the_model(status, expected):
    assert service(status={"modelStatus": status}).failure == expected


def test_of_a_servers_long_last_words_the_end_is_shown():
    words = "x" * 4000 + " the cause"
    status = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": {"message": words}}
    failure = service(status={"modelStatus": status}).failure
    assert failure.endswith("the cause")
    assert len(failure) < 700
