"""From what somebody wants of a teacher to a teacher, and to its manifests."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_sdg.cluster.serving import (
    Adapter,
    Autoscaling,
    WeightType,
    Wishes,
    parse_adapter,
    plan_teacher,
    teacher_files,
    teacher_manifests,
)
from kfp_sdg.cluster.serving.llm_service import llm_inference_service
from kfp_sdg.cluster.serving.teacher import inference_service
from kfp_sdg.errors import SpecError

MIXTRAL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
CLAIMED = Adapter("skills", "pvc://lab/skills")
FETCHED = Adapter("knowledge", "hf://a/knowledge")


def predictor(**wishes: Any) -> dict[str, Any]:
    teacher = plan_teacher(Wishes(**{"model": MIXTRAL, **wishes})).teacher
    found: dict[str, Any] = inference_service(teacher)["spec"]["predictor"]
    return found


def test_a_known_model_needs_nothing_but_its_name() -> None:
    plan = plan_teacher(Wishes("mixtral-8x7b-instruct"))
    teacher = plan.teacher
    assert (teacher.name, teacher.uri) == ("mixtral-8x7b-instruct", f"hf://{MIXTRAL}")
    assert (teacher.gpus, teacher.context) == (2, 8192)
    assert plan.estimate is not None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen2.5-14B-Instruct", "qwen2-5-14b-instruct"),
        ("a/01.AI_model", "model-01-ai-model"),
        ("a/" + "long" * 20, "long" * 13 + "l"),
    ],
)
def test_a_service_is_called_like_its_model(model: str, name: str) -> None:
    assert plan_teacher(Wishes(model, gpus=1)).teacher.name == name


@pytest.mark.parametrize("name", ["Teacher", "1st", "a_b", "ends-", "x" * 54, ""])
def test_a_name_that_kserve_refuses_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="no name of an InferenceService"):
        plan_teacher(Wishes(MIXTRAL, name=name))


def test_an_unknown_model_needs_gpus_or_numbers() -> None:
    with pytest.raises(SpecError, match="is not known") as caught:
        plan_teacher(Wishes("a/mixtral-8x7b-instruct-v0.2"))
    assert f"did you mean {MIXTRAL}?" in str(caught.value)
    plan = plan_teacher(Wishes("a/b", gpus=3))
    assert plan.estimate is None
    assert any("is not checked" in doubt for doubt in plan.doubts)


def test_the_context_is_what_the_model_has_at_most() -> None:
    with pytest.raises(SpecError, match="looks at 32,768 tokens at most, not 32,769"):
        plan_teacher(Wishes(MIXTRAL, context=32_769))


@pytest.mark.parametrize(
    "uri", ["docker://a", "hf:/a", "oci://", "pvc:///x", "pvc://Claim/x", "s3://a/../b", "hf://a b"]
)
def test_a_place_that_kserve_takes_no_model_from_is_refused(uri: str) -> None:
    with pytest.raises(SpecError, match="KServe takes no model from"):
        plan_teacher(Wishes(MIXTRAL, uri=uri))
    with pytest.raises(SpecError, match="KServe takes no model from"):
        parse_adapter(f"name={uri}")


@pytest.mark.parametrize("text", ["skills", "=hf://a/b", "a b=hf://a/b", "../x=hf://a/b"])
def test_an_adapter_is_a_name_and_a_place(text: str) -> None:
    with pytest.raises(SpecError, match="is no adapter"):
        parse_adapter(text)


def test_adapters_are_asked_for_by_names_of_their_own() -> None:
    with pytest.raises(SpecError, match="called like another adapter"):
        plan_teacher(Wishes(MIXTRAL, adapters=(CLAIMED, CLAIMED)))
    with pytest.raises(SpecError, match="called like the service"):
        plan_teacher(Wishes(MIXTRAL, adapters=(Adapter("mixtral-8x7b-instruct", "hf://a/b"),)))


def test_an_adapter_on_a_claim_is_mounted_and_the_model_stays_where_it_is() -> None:
    made = predictor(adapters=(CLAIMED, Adapter("other", "pvc://lab")), uri="oci://r/m:1")
    assert made["model"]["storageUri"] == "oci://r/m:1"
    assert made["volumes"] == [
        {
            "name": "adapters-0",
            "persistentVolumeClaim": {"claimName": "lab", "readOnly": True},
        }
    ]
    mounts = made["model"]["volumeMounts"]
    assert [m["mountPath"] for m in mounts] == ["/mnt/lora/skills", "/mnt/lora/other"]
    assert [m.get("subPath") for m in mounts] == ["skills", None]
    assert made["model"]["args"][-3:] == [
        "--lora-modules",
        "skills=/mnt/lora/skills",
        "other=/mnt/lora/other",
    ]


def test_an_adapter_from_elsewhere_is_fetched_with_the_model() -> None:
    made = predictor(adapters=(FETCHED, CLAIMED))
    assert "storageUri" not in made["model"]  # KServe refuses both
    assert made["storageUris"] == [
        {"uri": f"hf://{MIXTRAL}", "mountPath": "/mnt/models"},
        {"uri": "hf://a/knowledge", "mountPath": "/mnt/lora/knowledge"},
    ]
    assert [m["mountPath"] for m in made["model"]["volumeMounts"]] == ["/mnt/lora/skills"]
    assert "--max-loras=2" in made["model"]["args"]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (WeightType.BFLOAT16, ["--dtype=bfloat16"]),
        (WeightType.FLOAT16, ["--dtype=float16"]),
        (WeightType.FP8, ["--quantization=fp8"]),
        (WeightType.INT4, []),
    ],
)
def test_vllm_is_told_what_the_weights_are_to_be(weights: WeightType, said: list[str]) -> None:
    arguments = predictor(weights=weights)["model"]["args"]
    assert [a for a in arguments if a.startswith(("--dtype", "--quantization"))] == said


def test_weights_that_vllm_cannot_make_are_a_doubt() -> None:
    doubts = plan_teacher(Wishes(MIXTRAL, weights=WeightType.INT4)).doubts
    assert any("quantized before" in doubt for doubt in doubts)


def test_without_gpus_a_teacher_has_cpus_a_cache_and_threads_that_fit() -> None:
    made = predictor(model="Qwen/Qwen2.5-0.5B-Instruct", gpus=0)
    assert made["model"]["runtime"] == "kfp-sdg-vllm-cpu"
    assert made["model"]["resources"]["requests"] == {"cpu": "2", "memory": "6Gi"}
    assert "tolerations" not in made
    variables = {v["name"]: v["value"] for v in made["model"]["env"]}
    assert variables["OMP_NUM_THREADS"] == made["model"]["resources"]["requests"]["cpu"]
    assert variables["VLLM_CPU_KVCACHE_SPACE"] == "1"


def test_a_teacher_scales_from_one_replica_on_its_own_series() -> None:
    scaling = Autoscaling(most=3, prometheus="http://p:9090", namespace="team-a")
    teacher = plan_teacher(Wishes(MIXTRAL, autoscaling=scaling)).teacher
    kinds = [m["kind"] for m in teacher_manifests(teacher)]
    assert kinds[-2:] == ["ServiceMonitor", "PodDisruptionBudget"]
    made = inference_service(teacher)
    assert made["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "keda"
    assert (made["spec"]["predictor"]["minReplicas"], made["spec"]["predictor"]["maxReplicas"]) == (
        1,
        3,
    )
    metric = made["spec"]["predictor"]["autoScaling"]["metrics"][0]["external"]["metric"]
    assert metric["query"] == (
        'sum(vllm:num_requests_waiting{namespace="team-a",'
        'pod=~"mixtral-8x7b-instruct-predictor-.*"})'
    )


def test_a_teacher_waits_until_a_pipeline_starts_it_unless_it_is_to_run() -> None:
    stop = "serving.kserve.io/stop"
    waiting, running = (
        inference_service(plan_teacher(Wishes(MIXTRAL, stopped=stopped)).teacher)
        for stopped in (True, False)
    )
    assert waiting["metadata"]["annotations"][stop] == "true"
    assert stop not in running["metadata"]["annotations"]


def test_pods_have_a_user_where_somebody_says_so_and_a_doubt_where_nobody_does() -> None:
    assert "runAsUser" not in predictor()["securityContext"]
    assert predictor(user=2000)["securityContext"]["runAsUser"] == 2000
    doubts = [plan_teacher(Wishes(MIXTRAL, user=user)).doubts for user in (None, 2000)]
    assert [any("--run-as-user" in doubt for doubt in each) for each in doubts] == [True, False]


def test_an_llm_service_is_given_adapters_by_name_and_wakes_on_the_schedulers_count() -> None:
    teacher = plan_teacher(Wishes(MIXTRAL, adapters=(CLAIMED, FETCHED))).teacher
    made = llm_inference_service(teacher)
    assert made["spec"]["model"]["lora"]["adapters"] == [
        {"name": "skills", "uri": "pvc://lab/skills"},
        {"name": "knowledge", "uri": "hf://a/knowledge"},
    ]
    keda = made["spec"]["scaling"]["keda"]
    assert keda["idleReplicaCount"] == 0
    assert "inference_objective_request_total" in keda["triggers"][0]["metadata"]["query"]


def test_an_llm_service_refuses_what_kserve_would() -> None:
    wrong = Wishes(MIXTRAL, adapters=(Adapter("skills", "oci://r/skills:1"),))
    with pytest.raises(SpecError, match="takes no adapter from 'oci://r/skills:1'"):
        llm_inference_service(plan_teacher(wrong).teacher)
    small = Wishes("Qwen/Qwen2.5-0.5B-Instruct", gpus=0)
    with pytest.raises(SpecError, match="is served on GPUs"):
        llm_inference_service(plan_teacher(small).teacher)


def test_a_folder_has_a_file_for_each_manifest_and_kustomize_what_it_needs() -> None:
    teacher = plan_teacher(Wishes(MIXTRAL)).teacher
    assert list(teacher_files(teacher_manifests(teacher))) == [
        "kustomization.yaml",
        "serving-runtime.yaml",
        "inference-service.yaml",
        "network-policy.yaml",
        "kustomizeconfig.yaml",
    ]
    llm = teacher_files(teacher_manifests(teacher, llm=True))
    assert "llm-inference-service.yaml" in llm
