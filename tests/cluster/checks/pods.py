"""The pods that come of manifests: those of workloads, and those that KServe makes.

KServe merges an InferenceService into its ServingRuntime: the pod's spec and the container
``kserve-container`` as strategic merge patches, except that arguments are appended
(MergeRuntimeContainers and MergePodSpec in kserve:
pkg/controller/v1beta1/inferenceservice/utils/utils.go).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cluster.checks.findings import Manifest, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MODEL_CONTAINER = "kserve-container"

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
"""Lists that a strategic merge patch merges, and by which field; all others are replaced."""

_RUNTIME_POD_FIELDS = [
    "nodeSelector",
    "affinity",
    "tolerations",
    "volumes",
    "imagePullSecrets",
    "schedulerName",
    "resourceClaims",
]

_NOT_POD_FIELDS = frozenset(
    [
        "model",
        "minReplicas",
        "maxReplicas",
        "scaleTarget",
        "scaleMetric",
        "scaleMetricType",
        "autoScaling",
        "timeout",
        "containerConcurrency",
        "canaryTrafficPercent",
        "logger",
        "batcher",
        "labels",
        "annotations",
        "deploymentStrategy",
        "workerSpec",
        "storageUris",
        "storageContainerName",
        "name",
    ]
)
"""Fields of a predictor that are KServe's, not the pod's."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that a manifest leads to.

    Attributes:
        where: The object it comes from.
        path: Where its spec is in it; what KServe has merged is at the InferenceService's place.
        spec: The pod's spec.
        labels: The labels that the manifest gives it.
    """

    where: str
    path: str
    spec: dict[str, Any]
    labels: dict[str, str]


def pods_of(
    manifests: Iterable[Manifest], runtimes: Iterable[Manifest] = (), *, with_storage: bool = False
) -> Iterator[Pod]:
    """Yield the pods of manifests.

    Args:
        manifests: A render.
        runtimes: ServingRuntimes that it refers to and that are applied before it.
        with_storage: Whether with the containers that KServe adds to fetch models, as it adds
            them where the cluster's administrator has changed nothing.

    Raises:
        LookupError: An InferenceService names a runtime that is in neither.
    """
    manifests = list(manifests)
    known = {
        m["metadata"]["name"]: m
        for m in (*manifests, *runtimes)
        if m["kind"] in ("ServingRuntime", "ClusterServingRuntime")
    }
    for manifest in manifests:
        spec, where = manifest.get("spec", {}), name_of(manifest)
        if manifest["kind"] == "InferenceService":
            pod = _predictor_pod(manifest, known)
            yield _with_storage(pod, manifest) if with_storage else pod
        elif manifest["kind"] == "Pod":
            yield Pod(where, ".spec", spec, manifest["metadata"].get("labels", {}))
        else:
            for path, template in _templates(manifest["kind"], spec):
                labels = template.get("metadata", {}).get("labels", {})
                yield Pod(where, path, template.get("spec", template), labels)


def _templates(kind: str, spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pod templates of an object and their paths."""
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"):
        yield ".spec.template.spec", spec["template"]
    elif kind == "CronJob":
        yield ".spec.jobTemplate.spec.template.spec", spec["jobTemplate"]["spec"]["template"]
    elif kind in ("ServingRuntime", "ClusterServingRuntime"):
        yield ".spec", {"spec": {"containers": spec.get("containers", []), **_pod_fields(spec)}}
    elif kind == "LLMInferenceService":
        places = {
            ".spec.template": spec.get("template"),
            ".spec.worker": spec.get("worker"),
            ".spec.prefill.template": spec.get("prefill", {}).get("template"),
            ".spec.prefill.worker": spec.get("prefill", {}).get("worker"),
            ".spec.router.scheduler.template": (
                spec.get("router", {}).get("scheduler", {}).get("template")
            ),
        }
        yield from ((path, {"spec": pod}) for path, pod in places.items() if pod)


def _pod_fields(runtime_spec: dict[str, Any]) -> dict[str, Any]:
    """Return what a runtime gives to a pod beside containers."""
    return {key: runtime_spec[key] for key in _RUNTIME_POD_FIELDS if key in runtime_spec}


def _predictor_pod(service: Manifest, runtimes: dict[str, Manifest]) -> Pod:
    """Return the pod of an InferenceService's predictor."""
    predictor = service["spec"]["predictor"]
    model = predictor.get("model", {})
    own = {k: v for k, v in predictor.items() if k not in _NOT_POD_FIELDS}
    labels = predictor.get("labels", {})
    if not model:
        return Pod(name_of(service), ".spec.predictor", own, labels)
    name = model.get("runtime")
    if name not in runtimes:
        raise LookupError(f"{name_of(service)} names the runtime {name!r}, which is not there")
    runtime = runtimes[name]["spec"]
    container = {k: v for k, v in model.items() if k not in _MODEL_FIELDS}
    containers = []
    for theirs in runtime["containers"]:
        if theirs["name"] == MODEL_CONTAINER:
            merged = merge(theirs, container)
            merged["args"] = [*theirs.get("args", []), *container.get("args", [])]
            containers.append(merged)
        else:
            containers.append(theirs)
    spec = merge(_pod_fields(runtime), own)
    spec["containers"] = [*containers, *spec.get("containers", [])]
    return Pod(name_of(service), ".spec.predictor", spec, {**runtime.get("labels", {}), **labels})


def _with_storage(pod: Pod, service: Manifest) -> Pod:
    """Return a predictor's pod with what KServe adds for its models (pkg/utils/storage.go)."""
    predictor = service["spec"]["predictor"]
    uris = [predictor.get("model", {}).get("storageUri")]
    uris += [entry["uri"] for entry in predictor.get("storageUris", [])]
    schemes = {uri.partition("://")[0] for uri in uris if uri}
    spec = {**pod.spec, "initContainers": list(pod.spec.get("initContainers", []))}
    if "oci" in schemes:
        spec["containers"] = [*spec["containers"], {"name": "modelcar"}]
        spec["initContainers"].append({"name": "modelcar-init"})
        spec["shareProcessNamespace"] = True
    if schemes - {"oci", "pvc"}:
        spec["initContainers"].append({"name": "storage-initializer"})
    return replace(pod, spec=spec)


_MODEL_FIELDS = frozenset(
    [
        "modelFormat",
        "runtime",
        "runtimeVersion",
        "storageUri",
        "storage",
        "protocolVersion",
        "confidential",
    ]
)
"""Fields of a predictor's model that are KServe's, not the container's."""


def merge(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return a strategic merge of a patch of a pod's or container's spec into another."""
    merged = dict(base)
    for key, value in patch.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list) and key in _MERGE_KEYS:
            merged[key] = _merge_lists(old, value, _MERGE_KEYS[key])
        else:
            merged[key] = value
    return merged


def _merge_lists(base: list[Any], patch: list[Any], key: str) -> list[Any]:
    """Return two lists as one, entries of the same name merged."""
    merged = {entry[key]: entry for entry in base}
    for entry in patch:
        merged[entry[key]] = merge(merged.get(entry[key], {}), entry)
    return list(merged.values())
