"""Every object of a render against the schema of its kind, its names, and where it may live."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from cluster.checks.core import core_problems, is_core, is_namespaced
from cluster.checks.crds import KindSchema, crd_schema
from cluster.checks.findings import Finding, Manifest, name_of
from cluster.checks.other import is_file, other_schema
from cluster.checks.structural import problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_QUALIFIED = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LONGEST_NAME, _LONGEST_LABEL, _ANNOTATION_BYTES = 253, 63, 262_144
_METADATA = frozenset({"name", "namespace", "labels", "annotations", "finalizers", "generateName"})
_COLONS_ALLOWED = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def object_findings(manifests: Iterable[Manifest]) -> list[Finding]:
    """Return what an API server with strict field validation would refuse.

    Args:
        manifests: A render.

    Returns:
        Also a finding for each kind that has no schema: nothing passes unchecked.
    """
    manifests = list(manifests)
    found = [
        Finding(name_of(manifest), path, message)
        for manifest in manifests
        for path, message in _problems(manifest)
    ]
    counts = Counter(_identity(m) for m in manifests)
    found += [
        Finding(f"{kind}/{name}", ".metadata.name", f"stands {count} times in the render")
        for (_, kind, _, name), count in counts.items()
        if count > 1 and name
    ]
    return found


def cluster_scoped(manifests: Iterable[Manifest]) -> list[str]:
    """Return the objects that only somebody with rights on the whole cluster can apply."""
    return [name_of(m) for m in manifests if not is_file(*_kind(m)) and not _namespaced(*_kind(m))]


def _kind(manifest: Manifest) -> tuple[str, str]:
    """Return an object's apiVersion and kind."""
    return str(manifest.get("apiVersion")), str(manifest.get("kind"))


def _identity(manifest: Manifest) -> tuple[Any, ...]:
    """Return what no two objects of a cluster share."""
    api_version, kind = _kind(manifest)
    metadata = manifest.get("metadata", {})
    return api_version.partition("/")[0], kind, metadata.get("namespace"), metadata.get("name")


def _problems(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one object."""
    api_version, kind = _kind(manifest)
    schema = _schema(api_version, kind)
    if schema is not None:
        with_metadata = {**schema.schema, "properties": {**schema.schema["properties"], **_TOP}}
        yield from problems(with_metadata, manifest)
    elif is_core(api_version, kind):
        yield from core_problems(manifest)
    else:
        yield "", f"no schema of {kind} ({api_version}) is known: add it to other_kinds.yaml"
    if kind == "Template":
        for index, inner in enumerate(manifest.get("objects", [])):
            for path, message in _problems(inner):
                yield f".objects[{index}]{path}", message
    if not is_file(api_version, kind):
        yield from _metadata_problems(manifest.get("metadata") or {}, kind)
        if "namespace" in manifest.get("metadata", {}) and not _namespaced(api_version, kind):
            yield ".metadata.namespace", f"is given, but a {kind} belongs to the whole cluster"


_TOP: dict[str, Any] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


def _schema(api_version: str, kind: str) -> KindSchema | None:
    """Return the schema of a kind that is not Kubernetes' own, None where none is known."""
    return crd_schema(api_version, kind) or other_schema(api_version, kind)


def _namespaced(api_version: str, kind: str) -> bool:
    """Tell whether objects of a kind live in namespaces."""
    schema = _schema(api_version, kind)
    return schema.namespaced if schema else is_namespaced(kind)


def _metadata_problems(metadata: dict[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an object's metadata."""
    here = ".metadata"
    name = metadata.get("name")
    plain = str(name).replace(":", "-") if kind in _COLONS_ALLOWED else str(name)
    if name is None:
        yield here, "has no name"
    elif not _SUBDOMAIN.fullmatch(plain) or len(plain) > _LONGEST_NAME:
        yield f"{here}.name", f"{name!r} is no name: lower-case letters, digits, hyphens, dots"
    for key in set(metadata) - _METADATA:
        yield f"{here}.{key}", "is not for manifests"
    for group in ("labels", "annotations"):
        for key, value in (metadata.get(group) or {}).items():
            place = f"{here}.{group}[{key!r}]"
            if not _QUALIFIED.fullmatch(str(key)):
                yield place, "is no name of a label or annotation"
            if not isinstance(value, str):
                yield place, f"is {type(value).__name__} ({value!r}); expected text in quotes"
            elif group == "labels" and (
                not _LABEL_VALUE.fullmatch(value) or len(value) > _LONGEST_LABEL
            ):
                yield place, f"{value!r} is no value of a label"
    size = sum(len(str(k)) + len(str(v)) for k, v in (metadata.get("annotations") or {}).items())
    if size > _ANNOTATION_BYTES:
        yield f"{here}.annotations", f"have {size} bytes; Kubernetes takes {_ANNOTATION_BYTES}"
