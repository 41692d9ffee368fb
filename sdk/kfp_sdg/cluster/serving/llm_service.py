"""A teacher as LLMInferenceService: KServe with llm-d, with adapters, from zero replicas up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.serving.estimate import UTILIZATION
from kfp_sdg.cluster.serving.runtime import (
    GRACE_SECONDS,
    LOAD_MINUTES,
    RESTRICTED,
    environment,
    labels,
)
from kfp_sdg.cluster.serving.teacher import (
    API,
    MOST_REQUESTS,
    RANK,
    Teacher,
    gpu_toleration,
    resources,
    type_arguments,
)
from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest
    from kfp_sdg.cluster.serving.adapters import Adapter

_ADAPTER_SCHEMES = ("hf", "s3", "pvc")
_IDLE_SECONDS = 900
_PERIOD = 10
_HERE = '{namespace="{{ .ObjectMeta.Namespace }}"}'
_PODS = (
    '{namespace="{{ .ObjectMeta.Namespace }}",pod=~"{{ ChildName .ObjectMeta.Name `-kserve` }}-.*"}'
)
"""KServe fills both in, so that the same file is right in every namespace."""
PROMETHEUS = "http://prometheus-operated.monitoring.svc:9090"
"""That of kube-prometheus, as it is installed most often."""


def llm_inference_service(
    teacher: Teacher, *, most: int = 2, prometheus: str = PROMETHEUS
) -> Manifest:
    """Return the LLMInferenceService of a teacher.

    It goes to zero replicas by itself after a quarter of an hour without requests, and the first
    request, which the scheduler counts though nobody can answer it, wakes it.

    Args:
        teacher: The teacher; with at least one GPU.
        most: The most replicas.
        prometheus: The URL of the Prometheus that has the scheduler's and vLLM's series.

    Raises:
        SpecError: An adapter lies where an LLMInferenceService takes none from, or there is no GPU.
    """
    if not teacher.gpus:
        raise SpecError(
            Problem(
                "an LLMInferenceService is served on GPUs",
                Position("--gpus"),
                expected="1 or more, or no --llm-inference-service",
            )
        )
    for adapter in teacher.adapters:
        _check_adapter(adapter)
    model: dict[str, Any] = {"uri": teacher.uri, "name": teacher.name}
    if teacher.adapters:
        model["lora"] = {
            "maxRank": RANK,
            "maxAdapters": len(teacher.adapters),
            "adapters": [{"name": a.name, "uri": a.uri} for a in teacher.adapters],
        }
    title = f"SDG teacher: {teacher.model} (llm-d)"
    return {
        "apiVersion": f"{API}/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {
            "name": teacher.name,
            "labels": _labels(teacher.name),
            "annotations": {"openshift.io/display-name": title},
        },
        "spec": {
            "model": model,
            "parallelism": {"tensor": teacher.gpus},
            "scaling": _scaling(teacher, most, prometheus),
            "router": {"route": {}, "gateway": {}, "scheduler": {}},
            "template": _template(teacher),
        },
    }


def _labels(name: str) -> dict[str, str]:
    """Return its labels: not those by which the network policy of other teachers knows them.

    Here requests come through a gateway and a scheduler, which that policy would keep out.
    """
    return {k: v for k, v in labels(name).items() if k != "app.kubernetes.io/component"}


def _check_adapter(adapter: Adapter) -> None:
    """Refuse an adapter that KServe's controller would refuse."""
    if adapter.uri.partition("://")[0] in _ADAPTER_SCHEMES:
        return
    raise SpecError(
        Problem(
            f"an LLMInferenceService takes no adapter from {adapter.uri!r}",
            Position("--adapter"),
            expected=f"one of {', '.join(f'{scheme}://' for scheme in _ADAPTER_SCHEMES)}",
        )
    )


def _scaling(teacher: Teacher, most: int, prometheus: str) -> Manifest:
    """Return how it scales.

    Requests at the scheduler wake it, those in the making keep it, those in line add replicas.
    """
    came = f"sum(rate(inference_objective_request_total{_HERE}[2m])) or vector(0)"
    failed = f"sum(rate(inference_objective_request_error_total{_HERE}[2m])) or vector(0)"
    queries = {
        "requests": (f"({came}) + ({failed})", str(MOST_REQUESTS)),
        "running": (f"sum(vllm:num_requests_running{_PODS})", str(MOST_REQUESTS)),
        "waiting": (f"sum(vllm:num_requests_waiting{_PODS})", "32"),
    }
    return {
        "minReplicas": 1,
        "maxReplicas": most,
        "keda": {
            "idleReplicaCount": 0,
            "initialCooldownPeriod": LOAD_MINUTES * 60,
            "cooldownPeriod": _IDLE_SECONDS,
            "triggers": [
                {
                    "type": "prometheus",
                    "name": name,
                    "metadata": {
                        "serverAddress": prometheus,
                        "query": query,
                        "threshold": threshold,
                    },
                }
                for name, (query, threshold) in queries.items()
            ],
        },
    }


def _template(teacher: Teacher) -> Manifest:
    """Return what differs from the pod of KServe's own configuration for LLMs."""
    said = [
        f"--max-model-len={teacher.context}",
        f"--max-num-seqs={MOST_REQUESTS}",
        f"--gpu-memory-utilization={UTILIZATION}",
        "--enable-prefix-caching",
        *type_arguments(teacher.weights),
    ]
    variables = {
        "VLLM_ADDITIONAL_ARGS": " ".join(said),
        "USER": "vllm",
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/torchinductor",  # noqa: S108 (an emptyDir)
    }
    probe = {"periodSeconds": _PERIOD, "failureThreshold": LOAD_MINUTES * 60 // _PERIOD}
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [gpu_toleration()],
        "containers": [
            {
                "name": "main",
                "env": environment(variables),
                "securityContext": RESTRICTED,
                "startupProbe": probe,
                "resources": resources(teacher),
            }
        ],
        "volumes": [{"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "12Gi"}}],
    }
