"""The checkers find what a cluster would refuse: each mistake is planted in a good manifest."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.checks import (
    CRDS,
    Manifest,
    all_findings,
    cluster_scoped,
    kserve_findings,
    needs_crds,
    object_findings,
    pod_security_findings,
    pods_of,
    read_manifests,
)

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = CRDS.parent / "kserve-samples"

RUNTIME = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: vllm}
spec:
  supportedModelFormats: [{name: vLLM, autoSelect: true}]
  containers:
    - name: kserve-container
      image: example.org/vllm:1
      args: [--port=8080]
      env: [{name: HOME, value: /tmp}]
      securityContext:
        allowPrivilegeEscalation: false
        runAsNonRoot: true
        capabilities: {drop: [ALL]}
        seccompProfile: {type: RuntimeDefault}
      volumeMounts: [{name: tmp, mountPath: /tmp}]
  volumes: [{name: tmp, emptyDir: {}}]
"""
SERVICE = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: teacher
  annotations: {serving.kserve.io/deploymentMode: Standard, serving.kserve.io/autoscalerClass: keda}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 2
    deploymentStrategy: {type: Recreate}
    model:
      modelFormat: {name: vLLM}
      runtime: vllm
      storageUri: oci://example.org/model:1
      args: [--dtype=bfloat16]
      env: [{name: HF_HUB_OFFLINE, value: "1"}]
    autoScaling:
      metrics:
        - type: External
          external:
            metric: {backend: prometheus, serverAddress: "http://p:9090", query: up}
            target: {type: Value, value: "32"}
"""
LLM_SERVICE = """
apiVersion: serving.kserve.io/v1alpha2
kind: LLMInferenceService
metadata: {name: teacher-llm}
spec:
  model:
    uri: hf://a/b
    name: served
    lora: {maxRank: 64, adapters: [{name: skills, uri: "pvc://a/b"}]}
  scaling:
    minReplicas: 1
    maxReplicas: 2
    keda: {idleReplicaCount: 0, triggers: [{type: prometheus, metadata: {query: up}}]}
  template:
    securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
    containers:
      - name: main
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: teacher}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 8080, protocol: TCP}]}]}
"""
GONE = object()


def good() -> list[Manifest]:
    return [yaml.safe_load(text) for text in (RUNTIME, SERVICE, LLM_SERVICE, POLICY)]


def planted(kind: str, path: str, value: Any) -> list[Manifest]:
    """Return the good manifests, in one of them a value put or taken away; path: keys, spaces."""
    manifests = copy.deepcopy(good())
    place: Any = next(m for m in manifests if m["kind"] == kind)
    *way, last = [int(p) if p.isdigit() else p for p in path.split()]
    for key in way:
        place = place[key] if isinstance(place, list) else place.setdefault(key, {})
    if value is GONE:
        del place[last]
    elif isinstance(place, list):
        place[last:] = [value]
    else:
        place[last] = value
    return manifests


def the_one(findings: list[Any]) -> str:
    assert len(findings) == 1, [str(f) for f in findings]
    return str(findings[0])


@needs_crds
@pytest.mark.shared
def test_good_manifests_pass_every_checker() -> None:
    assert all_findings(good()) == []


@needs_crds
@pytest.mark.shared
@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("0[1-35-6]*.yaml")), ids=lambda p: p.name)
def test_the_samples_fit_the_schemas_of_their_kinds(sample: Path) -> None:
    assert object_findings(read_manifests(sample.read_text())) == []


@needs_crds
@pytest.mark.shared
@pytest.mark.parametrize(
    ("kind", "path", "value", "said"),
    [
        ("InferenceService", "spec predictor toleration", [], "did you mean 'tolerations'"),
        (
            "InferenceService",
            "spec predictor model storageURI",
            "s3://a",
            "did you mean 'storageUri'",
        ),
        ("InferenceService", "spec predictor maxReplicas", "2", "is string"),
        ("InferenceService", "spec predictor minReplicas", True, "is boolean"),
        ("InferenceService", "spec predictor minReplicas", 2**31, "expected an int32"),
        ("InferenceService", "spec predictor model env 0 value", 1, "is integer"),
        ("InferenceService", "spec predictor model env 0 name", GONE, "required field 'name'"),
        (
            "InferenceService",
            "spec predictor model modelFormat name",
            GONE,
            "required field 'name'",
        ),
        (
            "InferenceService",
            "spec predictor model resources",
            {"limits": {"cpu": "two"}},
            "matches",
        ),
        ("InferenceService", "spec predictor model storageUri", None, "is null"),
        (
            "InferenceService",
            "spec predictor autoScaling metrics 0 type",
            "Pods",
            "expected one of",
        ),
        ("InferenceService", "metadata name", "Teacher_1", "is no name"),
        ("InferenceService", "metadata labels", {"a": True}, "expected text in quotes"),
        ("InferenceService", "metadata labels", {"a": "x" * 64}, "is no value of a label"),
        ("InferenceService", "metadata label", {"a": "b"}, "is not for manifests"),
        ("ServingRuntime", "spec securityContext", {}, "unknown field"),
        ("ServingRuntime", "spec containers 0 env 1", {"name": "HOME"}, "second entry"),
        ("ServingRuntime", "apiVersion", "serving.kserve.io/v9", "no schema"),
        ("LLMInferenceService", "spec replicas", 1, "replicas"),
        ("LLMInferenceService", "spec scaling keda", GONE, "wva or keda"),
        ("LLMInferenceService", "spec scaling keda idleReplicaCount", 1, "less than minReplicas"),
        ("LLMInferenceService", "spec scaling minReplicas", 3, "minReplicas"),
        ("LLMInferenceService", "spec template containers 0 Image", "x", "did you mean 'image'"),
        ("NetworkPolicy", "spec podSelectors", {}, "unexpected"),
        ("NetworkPolicy", "spec ingress 0 ports 0 port", 1.5, "not valid"),
    ],
)
def test_what_the_schema_of_a_kind_refuses_is_found(
    kind: str, path: str, value: Any, said: str
) -> None:
    assert said in the_one(object_findings(planted(kind, path, value)))


@needs_crds
@pytest.mark.shared
def test_a_cel_rule_that_nobody_has_looked_at_is_found() -> None:
    route = {
        "http": {
            "spec": {"rules": [{"backendRefs": [{"name": "x", "group": "", "kind": "Service"}]}]}
        }
    }
    findings = object_findings(planted("LLMInferenceService", "spec router route", route))
    assert any("does not know" in str(f) for f in findings)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("metadata annotations", {}, "say Standard or Knative"),
        ("metadata name", "9teacher", "a letter first"),
        ("metadata name", "t" * 54, "OpenShift AI takes 53"),
        ("metadata annotations serving.kserve.io/autoscalerClass", "kpa", "one of hpa"),
        ("spec predictor model name", "kserve-container", "must be empty"),
        ("spec predictor storageUris", [{"uri": "s3://a"}], "only one of them"),
        ("spec predictor model storageUri", "docker://a", "expected one of"),
        ("spec predictor model env 0 name", "PYTHONPATH", "blocked"),
        ("spec predictor scaleMetric", "cpu", "not for KEDA"),
        ("spec predictor autoScaling metrics 0 external metric query", "", "is empty"),
        ("spec predictor autoScaling metrics 0 external target", {}, "is missing"),
        ("spec predictor autoScaling metrics 0 type", "Resource", "without resource"),
        ("spec predictor minReplicas", 3, "more than maxReplicas"),
        ("spec predictor model runtime", "other", "is not there"),
        ("spec predictor model runtime", GONE, "left to chance"),
        ("spec predictor model modelFormat name", "onnx", "does not serve onnx"),
        ("spec predictor workerSpec", {}, "has to be none"),
    ],
)
def test_what_kserves_webhook_refuses_is_found(path: str, value: Any, said: str) -> None:
    manifests = planted("InferenceService", path, value)
    assert any(said in str(f) for f in kserve_findings(manifests))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("adapters 0 name", "", "a name is required"),
        ("adapters 0 name", "served", "the model's own name"),
        ("adapters 1", {"name": "skills", "uri": "pvc://a/c"}, "stands here twice"),
        ("adapters 0 uri", "oci://a/b", "expected one of hf://, pvc://, s3://"),
        ("adapters 0 url", "hf://a/b", "unknown field"),
        ("maxRank", 0, "at least 1"),
    ],
)
def test_what_kserve_refuses_of_an_llm_services_adapters_is_found(
    path: str, value: Any, said: str
) -> None:
    manifests = planted("LLMInferenceService", f"spec model lora {path}", value)
    assert said in the_one(kserve_findings(manifests))


def test_without_the_standard_mode_what_only_that_has_is_found() -> None:
    mode = {"serving.kserve.io/deploymentMode": "Knative"}
    found = [
        str(f) for f in kserve_findings(planted("InferenceService", "metadata annotations", mode))
    ]
    assert any("deploymentStrategy: is only allowed in the mode Standard" in f for f in found)
    assert any("autoScaling: is only allowed in the mode Standard" in f for f in found)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("securityContext", GONE, "allowPrivilegeEscalation: is not false"),
        ("securityContext runAsNonRoot", GONE, "true neither here nor for the pod"),
        ("securityContext runAsNonRoot", False, "runs as root"),
        ("securityContext runAsUser", 1001, "is fixed"),
        ("securityContext seccompProfile", GONE, "RuntimeDefault neither here nor for the pod"),
        ("securityContext capabilities drop", [], "does not drop ALL"),
        ("securityContext capabilities add", ["SYS_PTRACE"], "adds SYS_PTRACE"),
        ("securityContext privileged", True, "is true"),
        ("ports", [{"containerPort": 1, "hostPort": 1}], "takes a port of the node"),
    ],
)
def test_what_is_not_restricted_about_a_runtimes_container_is_found_in_the_pods_too(
    path: str, value: Any, said: str
) -> None:
    manifests = planted("ServingRuntime", f"spec containers 0 {path}", value)
    found = [str(f) for f in pod_security_findings(manifests) if said in str(f)]
    assert [f.split(" ")[0] for f in found] == ["ServingRuntime/vllm", "InferenceService/teacher"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("hostNetwork", True, "shares the node's"),
        ("volumes", [{"name": "v", "hostPath": {"path": "/"}}], "is of the kind hostPath"),
        ("securityContext", {"fsGroup": 0}, "is fixed"),
        ("model securityContext", {"allowPrivilegeEscalation": True}, "is not false"),
        ("containers", [{"name": "sidecar"}], "does not drop ALL"),
    ],
)
def test_what_an_inference_service_makes_of_a_good_runtime_is_found(
    path: str, value: Any, said: str
) -> None:
    manifests = planted("InferenceService", f"spec predictor {path}", value)
    found = pod_security_findings(manifests)
    assert {f.where for f in found} == {"InferenceService/teacher"}
    assert any(said in str(f) for f in found)


@pytest.mark.parametrize("kind", ["Deployment", "Job", "CronJob", "Pod"])
def test_every_kind_of_workload_is_looked_at(kind: str) -> None:
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}
    if kind != "Pod":
        spec = {"template": {"spec": spec}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    manifest = {"kind": kind, "apiVersion": "v1", "metadata": {"name": "x"}, "spec": spec}
    assert any("drop ALL" in str(f) for f in pod_security_findings([manifest]))


def test_a_pod_gets_what_its_runtime_and_its_service_say() -> None:
    pod = next(p for p in pods_of(good()) if p.where == "InferenceService/teacher")
    container = pod.spec["containers"][0]
    assert container["args"] == ["--port=8080", "--dtype=bfloat16"]
    assert [v["name"] for v in container["env"]] == ["HOME", "HF_HUB_OFFLINE"]
    assert pod.spec["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert container["securityContext"]["runAsNonRoot"] is True


def test_a_service_without_its_runtime_is_no_pod_that_could_be_judged() -> None:
    with pytest.raises(LookupError, match="names the runtime 'vllm', which is not there"):
        pod_security_findings([m for m in good() if m["kind"] != "ServingRuntime"])


@pytest.mark.parametrize(
    ("uri", "added"),
    [
        ("oci://r/m:1", ["modelcar", "modelcar-init"]),
        ("hf://a/b", ["storage-initializer"]),
        ("pvc://a/b", []),
    ],
)
def test_a_pod_gets_what_kserve_adds_to_fetch_its_model(uri: str, added: list[str]) -> None:
    manifests = planted("InferenceService", "spec predictor model storageUri", uri)
    (pod,) = [p for p in pods_of(manifests, with_storage=True) if p.where.startswith("Inf")]
    containers = [*pod.spec["containers"], *pod.spec["initContainers"]]
    assert [c["name"] for c in containers] == ["kserve-container", *added]


@pytest.mark.parametrize(
    ("api_version", "kind", "fields", "said"),
    [
        ("monitoring.coreos.com/v1", "ServiceMonitor", {"spec": {"selector": {}}}, "'endpoints'"),
        (
            "route.openshift.io/v1",
            "Route",
            {"spec": {"to": {"kind": "Service", "name": "x"}, "tsl": {}}},
            "did you mean 'tls'",
        ),
        (
            "argoproj.io/v1alpha1",
            "Application",
            {"spec": {"project": "p", "destination": {}, "syncPolicy": {"syncOptions": ["X"]}}},
            "expected what matches",
        ),
        ("example.org/v1", "Unheard", {}, "no schema of Unheard"),
    ],
)
def test_kinds_that_nobody_else_knows_are_checked_or_reported(
    api_version: str, kind: str, fields: Manifest, said: str
) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}
    assert said in the_one(object_findings([manifest]))


def test_an_object_that_stands_twice_is_found() -> None:
    policy = good()[-1]
    assert "stands 2 times" in the_one(object_findings([policy, policy]))


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="'kind' stands here twice"):
        read_manifests("kind: A\nkind: B\n")


def test_the_objects_of_a_template_are_checked_too() -> None:
    template = {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {"name": "t"},
        "objects": [{**good()[-1], "spec": {}, "sepc": {}}],
    }
    found = [str(f) for f in object_findings([template])]
    assert any(".objects[0]" in f and "'sepc' was unexpected" in f for f in found)


def test_what_belongs_to_the_whole_cluster_is_told_from_what_lives_in_a_namespace() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    role |= {"metadata": {"name": "r", "namespace": "n"}, "rules": []}
    assert cluster_scoped([role, *good()]) == ["ClusterRole/r"]
    assert "belongs to the whole cluster" in the_one(object_findings([role]))
