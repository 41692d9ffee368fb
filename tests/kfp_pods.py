"""The pods that Kubeflow Pipelines makes of the tasks of a compiled pipeline.

What it adds to every user container, whatever a package says: no privilege escalation, no
capabilities, the runtime's seccomp profile (kubeflow/pipelines 2.16 and later, in backend/src/v2:
compiler/argocompiler/security_context.go and driver/k8s.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ADDED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_RESOURCES = {
    "limits": {"cpu": "resourceCpuLimit", "memory": "resourceMemoryLimit"},
    "requests": {"cpu": "resourceCpuRequest", "memory": "resourceMemoryRequest"},
}
_RENDERED = {
    *("securityContext", "secretAsVolume", "podMetadata", "tolerations", "nodeSelector"),
    "imagePullSecret",
}


def pods_of_package(package: Mapping[str, Any], platform: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the pod of each executor of a package, as Kubernetes' object.

    Args:
        package: The PipelineSpec.
        platform: The platform's part of it.
    """
    configs = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for label, executor in package["deploymentSpec"]["executors"].items():
        yield _pod(label, executor["container"], configs.get(label, {}))


def _pod(label: str, container: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    unknown = config.keys() - _RENDERED
    assert not unknown, f"this does not know how KFP renders {unknown}"
    secrets = [_secret(volume) for volume in config.get("secretAsVolume", ())]
    main = {
        "name": "main",
        "image": container["image"],
        "command": container["command"],
        "args": container["args"],
        "env": container.get("env", []),
        "resources": {
            kind: {name: container["resources"][key] for name, key in keys.items()}
            for kind, keys in _RESOURCES.items()
        },
        "volumeMounts": [
            {"name": name, "mountPath": volume["mountPath"]}
            for name, volume in zip(secrets, config.get("secretAsVolume", ()), strict=True)
        ],
        "securityContext": {**config.get("securityContext", {}), **_ADDED},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": label, **config.get("podMetadata", {})},
        "spec": {
            "containers": [main],
            "volumes": [
                {"name": name, "secret": {"secretName": name, "optional": volume["optional"]}}
                for name, volume in zip(secrets, config.get("secretAsVolume", ()), strict=True)
            ],
            "tolerations": list(config.get("tolerations", ())),
            "nodeSelector": config.get("nodeSelector", {}).get("labels", {}),
            "imagePullSecrets": [
                {"name": secret["secretName"]} for secret in config.get("imagePullSecret", ())
            ],
        },
    }


def _secret(volume: Mapping[str, Any]) -> str:
    """Return a name for a Secret whose name is a parameter of the run."""
    parameter = str(volume["secretNameParameter"]["componentInputParameter"])
    return parameter.rpartition("--")[2].replace("_", "-")
