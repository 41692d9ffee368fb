"""A teacher as KServe's InferenceService, and what stands beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.serving.estimate import UTILIZATION, WeightType
from kfp_sdg.cluster.serving.runtime import (
    CPU_RUNTIME,
    GPU_RUNTIME,
    GRACE_SECONDS,
    MODEL_FORMAT,
    environment,
    labels,
)
from kfp_sdg.kserve.uses import SHIELD

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest
    from kfp_sdg.cluster.serving.adapters import Adapter

API = "serving.kserve.io"
STOP = f"{API}/stop"
MODE = f"{API}/deploymentMode"
AUTOSCALER = f"{API}/autoscalerClass"
GPU = "nvidia.com/gpu"
MOST_REQUESTS = 256
"""Requests that vLLM has in the making at a time; the rest waits in line there."""
RANK = 64
"""The largest rank of an adapter; LAB's have it."""
_TIMEOUT = 1800
"""Seconds that a route, where the cluster makes one, waits for an answer."""
_CPUS, _MEMORY_GIB = (4, 8), (24, 48)
"""Requested and most, for each GPU."""


@dataclass(frozen=True, slots=True)
class Size:
    """The CPUs and the memory of a pod, in Kubernetes' quantities: requested, and the most."""

    cpu: tuple[str, str]
    memory: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model and how it is served.

    Attributes:
        name: The service's name, which is also what requests call the model.
        model: The model, for people.
        uri: Where KServe finds it.
        gpus: The GPUs of each replica; 0: none, it runs on CPUs.
        context: The context length in tokens.
        weights: What the weights are to be in memory.
        adapters: The adapters that are served with it.
        size: CPUs and memory of a replica.
        cpu_cache: GiB of the KV cache where there is no GPU.
        stopped: Whether it waits, without a pod, until a pipeline starts it.
        autoscaling: Where its replicas are to follow what waits in line.
        user: The user that its pods run as; None: the image's or, on OpenShift, the namespace's.
    """

    name: str
    model: str
    uri: str
    gpus: int
    context: int
    size: Size
    weights: WeightType = WeightType.BFLOAT16
    adapters: tuple[Adapter, ...] = field(default=())
    cpu_cache: int = 0
    stopped: bool = True
    autoscaling: Autoscaling | None = None
    user: int | None = None


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """From one replica to several, by KEDA, on vLLM's own figures.

    Attributes:
        most: The most replicas.
        prometheus: The URL of the Prometheus that has vLLM's series.
        namespace: The teacher's namespace, which its series carry.
        waiting: Requests that may wait for each replica before there is another.
    """

    most: int
    prometheus: str
    namespace: str
    waiting: int = 32


def size_of(gpus: int) -> Size:
    """Return CPUs and memory for a number of GPUs: vLLM has a process for each."""
    count = max(1, gpus)
    cpu, memory = ((str(n * count) for n in _CPUS), (f"{n * count}Gi" for n in _MEMORY_GIB))
    return Size((next(cpu), next(cpu)), (next(memory), next(memory)))


def size_without_gpus(gib: float) -> Size:
    """Return CPUs and memory for a server on CPUs that needs so much memory.

    Args:
        gib: The GiB of weights, cache and the server itself.
    """
    return Size(("2", "4"), (f"{math.ceil(gib)}Gi", f"{math.ceil(gib * 1.5)}Gi"))


def inference_service(teacher: Teacher) -> Manifest:
    """Return the InferenceService of a teacher."""
    predictor: Manifest = {
        "minReplicas": 1,
        "maxReplicas": 1,
        "labels": labels(teacher.name),
        # Runs note in the metadata that they use it, which must not restart the pods.
        "annotations": dict(SHIELD),
        "timeout": _TIMEOUT,
        "automountServiceAccountToken": False,
        # There are no GPUs for a second pod while the first is replaced.
        "deploymentStrategy": {"type": "Recreate"},
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "model": {
            "modelFormat": {"name": MODEL_FORMAT},
            "runtime": GPU_RUNTIME if teacher.gpus else CPU_RUNTIME,
            **_where(teacher),
            "args": arguments(teacher),
            "resources": resources(teacher),
        },
    }
    if teacher.user is not None:
        predictor["securityContext"] |= user_context(teacher.user)
    if teacher.gpus:
        predictor["tolerations"] = [gpu_toleration()]
    else:
        predictor["model"]["env"] = environment(_cpu_environment(teacher))
    if downloads := _downloaded(teacher):
        predictor["storageUris"] = downloads
    volumes, mounts = adapter_volumes(teacher.adapters)
    if volumes:
        predictor["volumes"], predictor["model"]["volumeMounts"] = volumes, mounts
    annotations = {MODE: "Standard", AUTOSCALER: "none"}
    if teacher.autoscaling:
        change = autoscaling_change(teacher.name, teacher.autoscaling)
        annotations |= change["metadata"]["annotations"]
        predictor |= change["spec"]["predictor"]
    if teacher.stopped:
        annotations[STOP] = "true"
    annotations["openshift.io/display-name"] = f"SDG teacher: {teacher.model}"
    return {
        "apiVersion": f"{API}/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": teacher.name,
            "labels": labels(teacher.name),
            "annotations": annotations,
        },
        "spec": {"predictor": predictor},
    }


def arguments(teacher: Teacher) -> list[str]:
    """Return what is said to vLLM beside what the runtime says."""
    said = [f"--max-model-len={teacher.context}", f"--max-num-seqs={MOST_REQUESTS}"]
    if teacher.gpus:
        said = [f"--tensor-parallel-size={teacher.gpus}", *said]
        said += [f"--gpu-memory-utilization={UTILIZATION}", "--enable-prefix-caching"]
    else:
        said.append("--enforce-eager")  # compiling for a CPU takes minutes at every start
    said += type_arguments(teacher.weights)
    return said + adapter_arguments(teacher.adapters)


def type_arguments(weights: WeightType) -> list[str]:
    """Return what makes vLLM keep the weights as they are wanted.

    It makes fp8 of 16-bit weights while it loads them. Other weights of 8 or 4 bits have to be made
    before; their config.json says how, and vLLM reads it.
    """
    if weights in (WeightType.BFLOAT16, WeightType.FLOAT16):
        return [f"--dtype={weights}"]
    return ["--quantization=fp8"] if weights is WeightType.FP8 else []


def adapter_arguments(adapters: tuple[Adapter, ...]) -> list[str]:
    """Return what is said to vLLM about adapters."""
    if not adapters:
        return []
    flags = ["--enable-lora", f"--max-loras={len(adapters)}", f"--max-lora-rank={RANK}"]
    return [*flags, "--lora-modules", *(f"{a.name}={a.path}" for a in adapters)]


def resources(teacher: Teacher) -> Manifest:
    """Return requests and limits of a replica; GPUs are the same in both, as Kubernetes asks."""
    gpus = {GPU: str(teacher.gpus)} if teacher.gpus else {}
    requests, limits = (
        {"cpu": teacher.size.cpu[i], "memory": teacher.size.memory[i], **gpus} for i in (0, 1)
    )
    return {"requests": requests, "limits": limits}


def user_context(user: int) -> dict[str, int]:
    """Return the part of a security context that says who a pod runs as: group 0 owns the files."""
    return {"runAsUser": user, "runAsGroup": 0}


def gpu_toleration() -> Manifest:
    """Return the toleration of the taint that GPU nodes usually have."""
    return {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}


def autoscaling_change(name: str, scaling: Autoscaling) -> Manifest:
    """Return what has to change in an InferenceService for KEDA to scale it, as a merge patch.

    KEDA keeps at least one replica: with none there are no series to go by. A pipeline's start and
    stop still bring it up and take it away.
    """
    pods = f'namespace="{scaling.namespace}",pod=~"{name}-predictor-.*"'
    metric = {
        "backend": "prometheus",
        "serverAddress": scaling.prometheus,
        "query": f"sum(vllm:num_requests_waiting{{{pods}}})",
    }
    external = {"metric": metric, "target": {"type": "Value", "value": str(scaling.waiting)}}
    rolling = {"maxSurge": 0, "maxUnavailable": 1}
    return {
        "apiVersion": f"{API}/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {AUTOSCALER: "keda"}},
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "maxReplicas": scaling.most,
                "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
                "autoScaling": {
                    "metrics": [{"type": "External", "external": external}],
                    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
                },
            }
        },
    }


def _where(teacher: Teacher) -> dict[str, str]:
    """Return where the model is, unless it is downloaded together with adapters."""
    return {} if _downloaded(teacher) else {"storageUri": teacher.uri}


def _downloaded(teacher: Teacher) -> list[Manifest]:
    """Return the model and the adapters that KServe has to fetch, none where the model is all.

    KServe takes either one ``storageUri`` or a list of ``storageUris`` with their places.
    """
    fetched = [adapter for adapter in teacher.adapters if adapter.claim is None]
    if not fetched:
        return []
    model = {"uri": teacher.uri, "mountPath": "/mnt/models"}
    return [model, *({"uri": a.uri, "mountPath": a.path} for a in fetched)]


def adapter_volumes(adapters: tuple[Adapter, ...]) -> tuple[list[Any], list[Any]]:
    """Return the volumes of adapters that lie on claims, and where they are mounted."""
    places = [(adapter, adapter.claim) for adapter in adapters]
    claims = sorted({claim[0] for _, claim in places if claim})
    volumes = [
        {
            "name": f"adapters-{number}",
            "persistentVolumeClaim": {"claimName": claim, "readOnly": True},
        }
        for number, claim in enumerate(claims)
    ]
    mounts = []
    for adapter, claim in places:
        if claim:
            name = f"adapters-{claims.index(claim[0])}"
            mount = {"name": name, "mountPath": adapter.path, "readOnly": True}
            mounts.append({**mount, "subPath": claim[1]} if claim[1] else mount)
    return volumes, mounts


def _cpu_environment(teacher: Teacher) -> dict[str, str]:
    """Return what a server on CPUs has to be told.

    Threads that are bound to cores, and more of them than the pod has CPUs, wait for each other:
    the server gets slower by an order of magnitude.
    """
    return {
        "VLLM_CPU_KVCACHE_SPACE": str(teacher.cpu_cache),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": teacher.size.cpu[0],
    }
