"""What KServe's webhooks and controllers refuse although the CRDs allow it.

Sources, in kserve: pkg/apis/serving/v1beta1/inference_service_validation.go,
pkg/apis/serving/v1alpha2/llm_inference_service_validation.go,
pkg/controller/v1alpha2/llmisvc/workload_lora.go. The length of names is OpenShift AI's rule.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cluster.checks.findings import Finding, Manifest, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMES = frozenset(
    [
        "hf",
        "s3",
        "gs",
        "pvc",
        "oci",
        "oci+native",
        "oci+fetch",
        "modelscope",
        "file",
        "http",
        "https",
        "hdfs",
        "webhdfs",
    ]
)
_LORA_SCHEMES = frozenset({"hf", "s3", "pvc"})
_ADAPTER_FIELDS = frozenset({"name", "uri"})
_CLASSES = ("hpa", "keda", "external", "none")
_OPENSHIFT_NAME_LENGTH = 53
_GROUP = "serving.kserve.io"
_MODE, _CLASS = f"{_GROUP}/deploymentMode", f"{_GROUP}/autoscalerClass"
_OLDER_MODES = {"RawDeployment": "Standard", "Serverless": "Knative"}
"""What the webhook that fills in defaults rewrites first (inference_service_defaults.go)."""
_VALUE_OF = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}


def kserve_findings(
    manifests: Iterable[Manifest], runtimes: Iterable[Manifest] = ()
) -> list[Finding]:
    """Return what KServe would refuse.

    Args:
        manifests: A render.
        runtimes: ServingRuntimes that it refers to and that are applied before it.
    """
    manifests = list(manifests)
    known = {
        m["metadata"]["name"]: m
        for m in (*manifests, *runtimes)
        if m["kind"] in ("ServingRuntime", "ClusterServingRuntime")
    }
    found = []
    for manifest in manifests:
        if not str(manifest.get("apiVersion")).startswith(f"{_GROUP}/"):
            continue
        problems: list[tuple[str, str]] = []
        if manifest["kind"] == "InferenceService":
            problems = [*_service_problems(manifest), *_runtime_problems(manifest, known)]
        elif manifest["kind"] == "LLMInferenceService":
            problems = list(_llm_problems(manifest))
        elif manifest["kind"] in ("ServingRuntime", "ClusterServingRuntime"):
            containers = manifest["spec"].get("containers", [])
            problems = list(_environment_problems(containers, ".spec.containers"))
            if "kserve-container" not in [c.get("name") for c in containers]:
                problems.append((".spec.containers", "has no container kserve-container"))
        found += [Finding(name_of(manifest), path, message) for path, message in problems]
    return found


def _service_problems(service: Manifest) -> Iterator[tuple[str, str]]:
    """Yield what the webhook of InferenceServices refuses."""
    yield from _name_problems(service["metadata"]["name"])
    annotations = service["metadata"].get("annotations", {})
    predictor = service["spec"]["predictor"]
    model = predictor.get("model", {})
    mode, autoscaler = annotations.get(_MODE), annotations.get(_CLASS)
    mode = _OLDER_MODES.get(mode, mode)
    if mode not in ("Standard", "Knative"):
        yield (
            f".metadata.annotations[{_MODE}]",
            (f"is {mode!r}; say Standard or Knative: without it, each cluster has its own"),
        )
    if autoscaler not in (None, *_CLASSES):
        yield f".metadata.annotations[{_CLASS}]", f"is {autoscaler!r}; one of {', '.join(_CLASSES)}"
    if model.get("name"):
        yield ".spec.predictor.model.name", "must be empty"
    if model.get("storageUri") and predictor.get("storageUris"):
        yield ".spec.predictor", "has storageUri and storageUris; only one of them"
    yield from _uri_problems(model.get("storageUri"), ".spec.predictor.model.storageUri", SCHEMES)
    yield from _environment_problems([model], ".spec.predictor.model")
    for group in ("containers", "initContainers"):
        yield from _environment_problems(predictor.get(group, []), f".spec.predictor.{group}")
    if mode != "Standard":
        for key in ("deploymentStrategy", "autoScaling"):
            if key in predictor:
                yield f".spec.predictor.{key}", "is only allowed in the mode Standard"
        if "canary" in service["spec"]:
            yield ".spec.canary", "is only allowed in the mode Standard"
    elif autoscaler == "keda":
        yield from _keda_problems(predictor)
    elif "autoScaling" in predictor:
        yield ".spec.predictor.autoScaling", f"does nothing with the autoscaler class {autoscaler}"
    low, high = predictor.get("minReplicas", 1), predictor.get("maxReplicas", 0)
    if high and low > high:
        yield ".spec.predictor.minReplicas", f"is {low}, more than maxReplicas {high}"
    if "workerSpec" in predictor:
        yield from _worker_problems(model, autoscaler)


def _name_problems(name: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the name of a service."""
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
        yield ".metadata.name", "a letter first, then lower-case letters, digits, hyphens"
    if len(name) > _OPENSHIFT_NAME_LENGTH:
        yield ".metadata.name", f"has {len(name)} characters; OpenShift AI takes 53"


def _keda_problems(predictor: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with scaling by KEDA."""
    here = ".spec.predictor.autoScaling.metrics"
    if "scaleMetric" in predictor:
        yield ".spec.predictor.scaleMetric", "is not for KEDA"
    fields = {"Resource": "resource", "External": "external", "PodMetric": "podmetric"}
    for index, metric in enumerate(predictor.get("autoScaling", {}).get("metrics", [])):
        place = f"{here}[{index}]"
        field = fields.get(metric["type"])
        source = metric.get(field or "")
        if source is None:
            yield place, f"type {metric['type']} without {field or 'being one that KEDA has'}"
            continue
        target = source.get("target", {})
        if target.get("type") and _VALUE_OF[target["type"]] not in target:
            yield f"{place}.{field}.target", f"lacks {_VALUE_OF[target['type']]}"
        if field != "resource":
            if not source.get("metric", {}).get("query"):
                yield f"{place}.{field}.metric.query", "is empty"
            if "value" not in target:
                yield f"{place}.{field}.target.value", "is missing"


def _worker_problems(model: dict[str, Any], autoscaler: str | None) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a service over several nodes."""
    if str(model.get("storageUri", "")).partition("://")[0] not in ("pvc", "oci"):
        yield ".spec.predictor.model.storageUri", "has to be pvc:// or oci:// with several nodes"
    if autoscaler != "none":
        yield f".metadata.annotations[{_CLASS}]", "has to be none with several nodes"
    for variable in model.get("env", []):
        if variable["name"] in ("PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE"):
            yield ".spec.predictor.model.env", f"{variable['name']} belongs in workerSpec"


def _runtime_problems(
    service: Manifest, runtimes: dict[str, Manifest]
) -> Iterator[tuple[str, str]]:
    """Yield what keeps a service from its runtime."""
    model = service["spec"]["predictor"].get("model")
    if model is None:
        return
    name, wanted = model.get("runtime"), model.get("modelFormat", {}).get("name")
    if name is None:
        yield ".spec.predictor.model.runtime", "is left to chance: each cluster has others"
    elif name not in runtimes:
        yield ".spec.predictor.model.runtime", f"{name!r} is not there"
    elif wanted not in [f["name"] for f in runtimes[name]["spec"].get("supportedModelFormats", [])]:
        yield ".spec.predictor.model.modelFormat", f"{name!r} does not serve {wanted}"


def _llm_problems(service: Manifest) -> Iterator[tuple[str, str]]:
    """Yield what the webhook and the controller of LLMInferenceServices refuse."""
    yield from _name_problems(service["metadata"]["name"])
    spec = service["spec"]
    model = spec.get("model", {})
    yield from _uri_problems(model.get("uri"), ".spec.model.uri", SCHEMES)
    served = model.get("name", service["metadata"]["name"])
    names: set[str] = set()
    for index, adapter in enumerate(model.get("lora", {}).get("adapters", [])):
        place = f".spec.model.lora.adapters[{index}]"
        name = adapter.get("name")
        if not name or name in (".", ".."):
            yield f"{place}.name", f"is {name!r}; a name is required"
        elif name == served:
            yield f"{place}.name", f"{name!r} is the model's own name"
        elif name in names:
            yield f"{place}.name", f"{name!r} stands here twice"
        names.add(name)
        for key in set(adapter) - _ADAPTER_FIELDS:
            yield f"{place}.{key}", "unknown field (the CRD itself lets any pass)"
        yield from _uri_problems(adapter.get("uri"), f"{place}.uri", _LORA_SCHEMES)
    for key in ("maxRank", "maxAdapters", "maxCpuAdapters"):
        if model.get("lora", {}).get(key, 1) < 1:
            yield f".spec.model.lora.{key}", "has to be at least 1"
    parallelism = spec.get("parallelism", {})
    if ("data" in parallelism) != ("dataLocal" in parallelism):
        yield ".spec.parallelism", "data and dataLocal go together"
    if "pipeline" in parallelism and "data" in parallelism:
        yield ".spec.parallelism", "pipeline and data exclude each other"
    if "worker" in spec and not {"pipeline", "data"} & set(parallelism):
        yield ".spec.worker", "needs data or pipeline parallelism"


def _uri_problems(uri: str | None, path: str, schemes: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with where a model is."""
    if uri is None:
        return
    scheme, found, rest = uri.partition("://")
    if not found or not rest or scheme not in schemes:
        yield path, f"is {uri!r}; expected one of {', '.join(sorted(f'{s}://' for s in schemes))}"


def _environment_problems(
    containers: Iterable[dict[str, Any]], path: str
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the environment of containers."""
    for container in containers:
        if "PYTHONPATH" in [variable["name"] for variable in container.get("env", [])]:
            yield f"{path}.env", "PYTHONPATH is blocked"
