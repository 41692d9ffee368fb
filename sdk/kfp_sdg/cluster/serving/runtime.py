"""The ServingRuntimes: how vLLM is started, on GPUs and on CPUs, whatever the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest

GPU_RUNTIME = "kfp-sdg-vllm"
CPU_RUNTIME = "kfp-sdg-vllm-cpu"
VLLM_VERSION = "v0.23.0"
GPU_IMAGE = f"docker.io/vllm/vllm-openai:{VLLM_VERSION}"
CPU_IMAGE = f"docker.io/vllm/vllm-openai-cpu:{VLLM_VERSION}"
VLLM_USER = 2000
"""The user ``vllm`` of vLLM's images for GPUs, whose group is 0 (docker/Dockerfile of vllm)."""
PORT = 8080
MODEL_FORMAT = "vLLM"

LOAD_MINUTES = 60
"""How long a teacher may take from the start of its container until it answers."""
GRACE_SECONDS = 120
"""How long a pod may take to end: first it is taken out of the service, then requests end."""
_LEAVE_SECONDS = 15
_DRAIN_SECONDS = 90

RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Pod Security "restricted", without a UID: OpenShift gives each namespace a range of its own."""

CACHES = {
    "HOME": "/tmp",  # noqa: S108 (an emptyDir)
    "USER": "vllm",  # a UID without an entry in passwd has no name, and torch asks for one
    "HF_HOME": "/tmp/huggingface",  # noqa: S108
    "XDG_CACHE_HOME": "/tmp/cache",  # noqa: S108
    "XDG_CONFIG_HOME": "/tmp/config",  # noqa: S108
    "VLLM_CACHE_ROOT": "/tmp/cache/vllm",  # noqa: S108
    "VLLM_CONFIG_ROOT": "/tmp/config/vllm",  # noqa: S108
    "TORCHINDUCTOR_CACHE_DIR": "/tmp/cache/torchinductor",  # noqa: S108
    "TRITON_CACHE_DIR": "/tmp/cache/triton",  # noqa: S108
    "NUMBA_CACHE_DIR": "/tmp/cache/numba",  # noqa: S108
}
"""Where vLLM and what it is made of write, for a user who owns nothing in the image."""

_OFFLINE = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


def serving_runtime(*, gpu: bool) -> Manifest:
    """Return the ServingRuntime for GPUs or the one for CPUs."""
    name = GPU_RUNTIME if gpu else CPU_RUNTIME
    annotations = {"openshift.io/display-name": f"kfp-sdg vLLM ({'NVIDIA GPU' if gpu else 'CPU'})"}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name, "labels": labels(name), "annotations": annotations},
        "spec": {
            "annotations": {
                "prometheus.io/port": str(PORT),
                "prometheus.io/path": "/metrics",
                "prometheus.kserve.io/port": str(PORT),
                "prometheus.kserve.io/path": "/metrics",
            },
            "multiModel": False,
            # Teachers name their runtime: no other InferenceService is to be given this one.
            "supportedModelFormats": [{"name": MODEL_FORMAT, "autoSelect": False}],
            "containers": [_container(gpu=gpu)],
            "volumes": [
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "12Gi"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }


def labels(name: str) -> dict[str, str]:
    """Return the labels that everything of a teacher carries."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "kfp-sdg",
        "app.kubernetes.io/component": "teacher",
    }


def environment(variables: dict[str, str]) -> list[Manifest]:
    """Return environment variables as a container has them."""
    return [{"name": name, "value": value} for name, value in variables.items()]


def startup_probe(path: str = "/health") -> dict[str, Any]:
    """Return a probe that waits until the weights are loaded and the graphs captured."""
    period = 10
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": LOAD_MINUTES * 60 // period,
    }


def _container(*, gpu: bool) -> Manifest:
    """Return the container that KServe puts a model into."""
    health = {"path": "/health", "port": PORT}
    return {
        "name": "kserve-container",
        "image": GPU_IMAGE if gpu else CPU_IMAGE,
        "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
        "args": [
            f"--port={PORT}",
            "--model=/mnt/models",
            "--served-model-name={{.Name}}",
            f"--shutdown-timeout={_DRAIN_SECONDS}",
        ],
        "env": environment({**CACHES, **_OFFLINE}),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "securityContext": RESTRICTED,
        "startupProbe": startup_probe(),
        "readinessProbe": {"httpGet": health, "periodSeconds": 10, "timeoutSeconds": 5},
        "livenessProbe": {
            "httpGet": health,
            "periodSeconds": 20,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
        # Clients still come for a while after a pod is told to end; vLLM closes its port at once.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_LEAVE_SECONDS)]}}},
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
