"""The pods that Kubeflow Pipelines makes of a compiled pipeline, by its own rules.

Read in kubeflow/pipelines 2.17: ``argocompiler/security_context.go`` (what every executor gets) and
``driver/k8s.go`` (what the pipeline's platform spec adds). The init container and Argo's own
containers are KFP's and restricted by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOLUMES = {
    "secretAsVolume": "secret",
    "configMapAsVolume": "configMap",
    "pvcMount": "persistentVolumeClaim",
    "emptyDirMounts": "emptyDir",
    "genericEphemeralVolume": "ephemeral",
}
"""Kinds of volumes by the fields of ``KubernetesExecutorConfig``."""

_NO_MATTER_OF_SECURITY = frozenset(
    {
        "secretAsEnv",
        "configMapAsEnv",
        "fieldPathAsEnv",
        "nodeSelector",
        "nodeAffinity",
        "podAffinity",
        "podMetadata",
        "tolerations",
        "imagePullSecret",
        "imagePullPolicy",
        "activeDeadlineSeconds",
    }
)


def executor_pods(version: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the spec of each executor's pod by the executor's name.

    Args:
        version: A PipelineVersion.

    Raises:
        NotImplementedError: The platform spec has a field whose effect is not written down here.
    """
    platform = version["spec"].get("platformSpec", {}).get("platforms", {}).get("kubernetes", {})
    configs = platform.get("deploymentSpec", {}).get("executors", {})
    for name, executor in version["spec"]["pipelineSpec"]["deploymentSpec"]["executors"].items():
        if "container" in executor:
            yield name, _pod(executor["container"], configs.get(name, {}))


def _pod(container: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a pod from its container and its part of the platform spec."""
    unknown = set(config) - set(_VOLUMES) - _NO_MATTER_OF_SECURITY - {"securityContext"}
    if unknown:
        raise NotImplementedError(f"what KFP makes of {', '.join(sorted(unknown))}")
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        **config.get("securityContext", {}),
    }
    volumes = [{"name": "kfp-launcher", "emptyDir": {}}]
    for field, kind in _VOLUMES.items():
        volumes += [{"name": f"{kind}-{i}", kind: {}} for i, _ in enumerate(config.get(field, ()))]
    return {
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "main", "image": container["image"], "securityContext": security}],
        "volumes": volumes,
    }
