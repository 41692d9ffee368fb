"""Teachers, shipped and rendered, as kustomize writes them and KServe makes pods of them."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from cluster.checks import (
    Manifest,
    Pod,
    all_findings,
    needs_crds,
    pods_of,
    read_manifests,
    restricted_problems,
)
from cluster_manifests import MANIFESTS, named, overlay, relative_to
from kfp_sdg.cluster.manifests import yaml_text
from kfp_sdg.cluster.serving import (
    Adapter,
    Autoscaling,
    WeightType,
    Wishes,
    known_models,
    plan_teacher,
    teacher_files,
    teacher_manifests,
)
from kubectl import rendered_text

if TYPE_CHECKING:
    from pathlib import Path

TEACHERS = MANIFESTS / "teacher"
ON_GPUS = {"mixtral-8x7b-instruct": 2, "mistral-7b-instruct": 1}
ALL = {*ON_GPUS, "demo-teacher"}
GPU = "nvidia.com/gpu"


@cache
def shipped() -> list[Manifest]:
    return read_manifests(rendered_text(TEACHERS))


def with_components(folder: Path, *names: str, **fields: Any) -> list[Manifest]:
    paths = [relative_to(folder, TEACHERS / "components" / name) for name in names]
    return read_manifests(rendered_text(overlay(folder, [TEACHERS], components=paths, **fields)))


def services(manifests: list[Manifest]) -> dict[str, Manifest]:
    return named(manifests, "InferenceService")


def pods(manifests: list[Manifest]) -> dict[str, Pod]:
    """Return the pods of teachers, by the teacher's name."""
    found = {pod.where: pod for pod in pods_of(manifests)}
    return {name: found[f"InferenceService/{name}"] for name in services(manifests)}


def container(pod: Pod) -> dict[str, Any]:
    (only,) = pod.spec["containers"]
    return dict(only)


def test_the_three_teachers_wait_in_standard_mode_until_a_pipeline_starts_them(
    kubectl: Path,
) -> None:
    assert set(services(shipped())) == ALL
    for service in services(shipped()).values():
        notes = service["metadata"]["annotations"]
        assert notes["serving.kserve.io/deploymentMode"] == "Standard"
        assert notes["serving.kserve.io/autoscalerClass"] == "none"
        assert notes["serving.kserve.io/stop"] == "true"


@pytest.mark.parametrize(("name", "gpus"), ON_GPUS.items())
def test_a_teacher_is_cut_for_the_gpus_that_it_asks_for(
    kubectl: Path, name: str, gpus: int
) -> None:
    pod = pods(shipped())[name]
    resources = container(pod)["resources"]
    assert resources["requests"][GPU] == resources["limits"][GPU] == str(gpus)
    assert f"--tensor-parallel-size={gpus}" in container(pod)["args"]
    assert pod.spec["tolerations"] == [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]


def test_the_demo_asks_for_no_gpu_and_runs_vllms_image_for_cpus(kubectl: Path) -> None:
    only = container(pods(shipped())["demo-teacher"])
    assert GPU not in only["resources"]["limits"]
    assert "/vllm-openai-cpu:" in only["image"]
    assert not any(argument.startswith("--tensor-parallel") for argument in only["args"])


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_pod_outlasts_its_load_and_writes_only_where_it_may(kubectl: Path, name: str) -> None:
    pod = pods(shipped())[name]
    only = container(pod)
    startup = only["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 3600
    mounted = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
    assert volumes[mounted["/dev/shm"]]["emptyDir"]["medium"] == "Memory"
    variables = {v["name"]: v["value"] for v in only["env"]}
    written = {k: v for k, v in variables.items() if k.endswith(("HOME", "_DIR", "_ROOT"))}
    assert {"HOME", "HF_HOME", "TORCHINDUCTOR_CACHE_DIR", "VLLM_CACHE_ROOT"} <= set(written)
    assert all(f"{value}/".startswith("/tmp/") for value in written.values())
    assert "/tmp" in mounted
    assert variables["USER"]


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_pod_has_time_to_leave_its_service_and_end_its_requests(kubectl: Path, name: str) -> None:
    pod = pods(shipped())[name]
    only = container(pod)
    leaves = int(only["lifecycle"]["preStop"]["exec"]["command"][-1])
    drains = int(next(a for a in only["args"] if "--shutdown-timeout" in a).partition("=")[2])
    assert leaves + drains < pod.spec["terminationGracePeriodSeconds"]


def test_steps_of_pipelines_and_monitoring_reach_teachers_and_nobody_else(kubectl: Path) -> None:
    policy = named(shipped(), "NetworkPolicy")["kfp-sdg-teacher"]["spec"]
    wanted = policy["podSelector"]["matchLabels"].items()
    assert all(wanted <= pod.labels.items() for pod in pods(shipped()).values())
    steps, monitoring = policy["ingress"]
    assert steps["from"] == [
        {"podSelector": {"matchLabels": {"pipelines.kubeflow.org/v2_component": "true"}}}
    ]
    assert {port["port"] for port in steps["ports"]} == {8080, 8443}
    assert "openshift-user-workload-monitoring" in str(monitoring["from"])


def test_on_openshift_ai_the_port_that_asks_for_a_token_is_open_to_the_project_and_the_router(
    kubectl: Path, tmp_path: Path
) -> None:
    made = with_components(tmp_path / "o", "openshift-ai")
    *usual, added = named(made, "NetworkPolicy")["kfp-sdg-teacher"]["spec"]["ingress"]
    assert usual == named(shipped(), "NetworkPolicy")["kfp-sdg-teacher"]["spec"]["ingress"]
    assert added["ports"] == [{"protocol": "TCP", "port": 8443}]
    assert {"podSelector": {}} in added["from"]
    for service in services(made).values():
        assert service["metadata"]["annotations"]["security.opendatahub.io/enable-auth"] == "true"


@pytest.mark.parametrize("scheme", ["oci", "s3", "pvc"])
def test_a_source_says_of_every_model_where_it_is(
    kubectl: Path, tmp_path: Path, scheme: str
) -> None:
    for service in services(with_components(tmp_path / "o", scheme)).values():
        assert service["spec"]["predictor"]["model"]["storageUri"].startswith(f"{scheme}://")


@pytest.mark.parametrize("source", ["hf", "s3"])
def test_a_source_with_a_secret_gives_it_to_the_account_that_fetches(
    kubectl: Path, tmp_path: Path, source: str
) -> None:
    made = with_components(tmp_path / "o", source)
    account = named(made, "ServiceAccount")["kfp-sdg-teacher"]
    assert account["secrets"]
    for pod in pods(made).values():
        assert pod.spec["serviceAccountName"] == "kfp-sdg-teacher"
        assert pod.spec["automountServiceAccountToken"] is False


def test_labs_adapters_are_served_beside_mixtral_from_a_claim(
    kubectl: Path, tmp_path: Path
) -> None:
    made = with_components(tmp_path / "o", "lora-adapters", "oci")
    pod = pods(made)["mixtral-8x7b-instruct"]
    only = container(pod)
    modules = only["args"][only["args"].index("--lora-modules") + 1 :]
    assert [m.partition("=")[0] for m in modules] == [
        "skill-classifier-v3-clm",
        "text-classifier-knowledge-v3-clm",
    ]
    mounted = {mount["mountPath"] for mount in only["volumeMounts"]}
    assert {m.partition("=")[2] for m in modules} <= mounted
    assert "/tmp" in mounted  # the runtime's own mounts are still there
    assert container(pods(made)["mistral-7b-instruct"]) == container(
        pods(with_components(tmp_path / "p", "oci"))["mistral-7b-instruct"]
    )


def test_keda_scales_teachers_on_gpus_from_one_replica_up(kubectl: Path, tmp_path: Path) -> None:
    made = with_components(tmp_path / "o", "keda", "monitoring")
    for name in ON_GPUS:
        service = services(made)[name]
        predictor = service["spec"]["predictor"]
        assert service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "keda"
        assert service["metadata"]["annotations"]["serving.kserve.io/stop"] == "true"
        assert (predictor["minReplicas"], predictor["maxReplicas"]) == (1, 4)
        query = predictor["autoScaling"]["metrics"][0]["external"]["metric"]["query"]
        assert f'vllm:num_requests_waiting{{namespace="sdg",pod=~"{name}-predictor' in query
        assert predictor["deploymentStrategy"]["rollingUpdate"]["maxSurge"] == 0
        assert named(made, "PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1
    assert services(made)["demo-teacher"] == services(shipped())["demo-teacher"]
    selector = named(made, "ServiceMonitor")["kfp-sdg-teacher"]["spec"]["selector"]["matchLabels"]
    labels = [service["metadata"]["labels"] for service in services(made).values()]
    assert all(selector.items() <= each.items() for each in labels)


def test_an_api_key_comes_from_the_secret_that_pipelines_take_theirs_from(
    kubectl: Path, tmp_path: Path
) -> None:
    for pod in pods(with_components(tmp_path / "o", "api-key")).values():
        variables = {v["name"]: v for v in container(pod)["env"]}
        source = variables["VLLM_API_KEY"]["valueFrom"]["secretKeyRef"]
        assert source == {"name": "kfp-sdg-teacher", "key": "api_token"}
        assert variables["HOME"]["value"] == "/tmp"


def test_no_sidecar_and_a_user_are_said_to_every_pod(kubectl: Path, tmp_path: Path) -> None:
    made = with_components(tmp_path / "o", "no-sidecar", "run-as-user")
    for name, pod in pods(made).items():
        assert pod.labels["sidecar.istio.io/inject"] == "false"
        assert pod.labels["app.kubernetes.io/name"] == name
        assert pod.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 2000,
            "runAsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        }


@pytest.mark.parametrize(
    ("source", "added"),
    [("hf", {"storage-initializer"}), ("oci", {"modelcar", "modelcar-init"}), ("pvc", set())],
)
def test_only_what_kserve_adds_to_fetch_models_may_be_less_than_restricted(
    kubectl: Path, tmp_path: Path, source: str, added: set[str]
) -> None:
    for pod in pods_of(with_components(tmp_path / "o", source), with_storage=True):
        containers = [*pod.spec["containers"], *pod.spec.get("initContainers", [])]
        ours = [c for c in containers if c["name"] not in added]
        assert pod.where.startswith("ServingRuntime") or len(containers) - len(ours) == len(added)
        assert not list(restricted_problems({**pod.spec, "containers": ours, "initContainers": []}))


def test_the_patch_in_the_readme_makes_kserves_container_restricted(kubectl: Path) -> None:
    readme = (TEACHERS / "README.md").read_text(encoding="utf-8")
    (patch,) = re.findall(r"clusterstoragecontainer default .* -p '(.*)'", readme)
    fetching = {"name": "storage-initializer", **json.loads(patch)["spec"]["container"]}
    for pod in pods(shipped()).values():
        assert not list(restricted_problems({**pod.spec, "initContainers": [fetching]}))


def test_a_prefix_keeps_teachers_with_their_runtime_and_a_mirror_takes_its_image(
    kubectl: Path, tmp_path: Path
) -> None:
    mirror = {"name": "docker.io/vllm/vllm-openai", "newName": "r.example.com/vllm", "newTag": "x"}
    made = with_components(tmp_path / "o", namePrefix="team-", images=[mirror])
    pod = pods(made)["team-mixtral-8x7b-instruct"]
    assert container(pod)["image"] == "r.example.com/vllm:x"


def test_a_prefix_keeps_teachers_with_their_account_and_their_disruption_budget(
    kubectl: Path, tmp_path: Path
) -> None:
    made = with_components(tmp_path / "o", "hf", "keda", namePrefix="team-")
    [account] = named(made, "ServiceAccount")
    assert account == "team-kfp-sdg-teacher"
    assert {pod.spec["serviceAccountName"] for pod in pods(made).values()} == {account}
    budgets = named(made, "PodDisruptionBudget")
    assert budgets
    for name, budget in budgets.items():
        assert name in services(made)
        labels = {"serving.kserve.io/inferenceservice": name}
        assert budget["spec"]["selector"]["matchLabels"] == labels


def test_the_llm_service_serves_labs_adapters_and_waits_as_long_as_the_others(
    kubectl: Path,
) -> None:
    (service,) = read_manifests(rendered_text(TEACHERS / "llm-inference-service"))
    names = [adapter["name"] for adapter in service["spec"]["model"]["lora"]["adapters"]]
    assert names == ["skill-classifier-v3-clm", "text-classifier-knowledge-v3-clm"]
    (only,) = service["spec"]["template"]["containers"]
    probe = only["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600
    assert only["resources"]["limits"][GPU] == str(service["spec"]["parallelism"]["tensor"])


CLAIMED, FETCHED = Adapter("skills", "pvc://lab/skills"), Adapter("knowledge", "hf://a/knowledge")
SCALING = Autoscaling(most=3, prometheus="http://p:9090", namespace="team-a")
RENDERED = {
    **{name: (Wishes(name, weights=WeightType.FP8), False) for name in known_models()},
    "unknown": (Wishes("a/b", gpus=3), False),
    "cpu": (Wishes("Qwen/Qwen2.5-0.5B-Instruct", gpus=0), False),
    "adapters": (Wishes(known_models()[0], adapters=(CLAIMED, FETCHED)), False),
    "scaled": (Wishes(known_models()[0], autoscaling=SCALING, stopped=False), False),
    "llm": (Wishes(known_models()[0], adapters=(CLAIMED, FETCHED)), True),
    "llm, scaled": (Wishes(known_models()[0], autoscaling=SCALING), True),
}


@pytest.mark.shared
@needs_crds
@pytest.mark.parametrize(("wishes", "llm"), RENDERED.values(), ids=RENDERED)
def test_a_cluster_would_take_whatever_is_rendered(wishes: Wishes, llm: bool) -> None:
    made = teacher_manifests(plan_teacher(wishes).teacher, llm=llm)
    assert [str(finding) for finding in all_findings(read_manifests(yaml_text(made)))] == []


@pytest.mark.parametrize("name", ["scaled", "llm"])
def test_a_rendered_folder_is_what_the_file_is(kubectl: Path, tmp_path: Path, name: str) -> None:
    wishes, llm = RENDERED[name]
    made = teacher_manifests(plan_teacher(wishes).teacher, llm=llm)
    for file, text in teacher_files(made).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    rendered = read_manifests(rendered_text(tmp_path))
    assert sorted(map(str, map(_sorted, rendered))) == sorted(map(str, map(_sorted, made)))


def _sorted(value: Any) -> Any:
    """Return a value with the keys of its mappings in order, as kustomize writes them."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
