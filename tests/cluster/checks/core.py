"""Kinds that Kubernetes itself has, against the schemas of ``kubernetes-validate``, strictly."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.protocols import Validator

    from cluster.checks.findings import Manifest

KUBERNETES = "1.33"
"""The version that manifests are checked against."""

_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


def is_core(api_version: str, kind: str) -> bool:
    """Tell whether a kind is one of Kubernetes'."""
    return _validator(api_version, kind) is not None


def core_problems(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an object of Kubernetes' own kinds: path and message."""
    validator = _validator(manifest["apiVersion"], manifest["kind"])
    if validator is None:
        return
    for error in validator.iter_errors(manifest):
        yield (
            "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.path),
            error.message,
        )


def is_namespaced(kind: str) -> bool:
    """Tell whether objects of a kind of Kubernetes' own live in namespaces."""
    return kind not in _CLUSTER_SCOPED


@lru_cache
def _validator(api_version: str, kind: str) -> Validator | None:
    """Return the validator of a kind; None where Kubernetes has no such kind."""
    from jsonschema import Draft202012Validator
    from referencing import Resource

    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    if "." in api_version and ".k8s.io/" not in api_version:
        return None  # the folder knows "serving-v1" by its first word alone
    try:
        schema = _contents(f"{kind.lower()}-{group}.json")
    except FileNotFoundError:
        return None
    registry = Resource.from_contents(schema) @ _definitions()
    return Draft202012Validator(schema, registry=registry)


@lru_cache
def _definitions() -> Any:
    """Return the registry of what the schemas of kinds refer to: several MB, read once."""
    from referencing import Registry, Resource

    return Resource.from_contents(_contents("_definitions.json")) @ Registry()


def _contents(name: str) -> Any:
    """Return a file of the package's schemas of the version, the strict ones."""
    from kubernetes_validate.utils import all_versions, schema_contents

    version = next(v for v in all_versions() if v.startswith(f"{KUBERNETES}."))
    return schema_contents(f"kubernetes-json-schema/v{version}-local-strict/{name}", KUBERNETES)
