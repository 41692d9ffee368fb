"""A compiled pipeline as a Pipeline and a PipelineVersion of ``pipelines.kubeflow.org/v2beta1``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from kfp_sdg.cluster.manifests.yaml_text import Manifest, yaml_text

if TYPE_CHECKING:
    from kfp_sdg.compiler.package import CompiledGraph

PART_OF = {"app.kubernetes.io/part-of": "kfp-sdg"}
"""The label of everything that kfp-sdg ships for a cluster."""

CLIENT_SIDE_LIMIT = 262_144
"""Bytes that all annotations of an object may have together (``apimachinery``,
``TotalAnnotationSizeLimitB``). ``kubectl apply`` without ``--server-side`` puts the whole object
into one."""

_WAVE = "argocd.argoproj.io/sync-wave"
_OPTIONS = "argocd.argoproj.io/sync-options"
_KEPT = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}
"""Else an application is out of sync for ever once Git has no more what is not pruned."""


def pipeline_resources(
    compiled: CompiledGraph, *, namespace: str | None = None, code_source_url: str | None = None
) -> tuple[Manifest, Manifest]:
    """Return a pipeline's Pipeline and PipelineVersion.

    The Pipeline is in Argo CD's wave before the version's, because KFP's webhook refuses a version
    whose Pipeline is not there (``webhook/pipelineversion_webhook.go``). What Git has no more is
    not pruned: runs refer to versions, and Kubernetes deletes those with their Pipeline, which owns
    them. ``spec.tags`` and ``spec.versionName`` are left out: only KFP 2.17 and newer have them;
    older API servers refuse what they do not know.

    Args:
        compiled: What a pipeline, or a workflow of several, was compiled to.
        namespace: The resources' namespace; None leaves it to kustomize or kubectl.
        code_source_url: Where the pipeline's source is, for the version's page in the dashboard.
            KFP lets nobody change it: let it be another only where the content is another.
    """
    text = compiled.to_yaml("crd", namespace=namespace)
    pipeline, version = yaml.load_all(text, Loader=yaml.CSafeLoader)
    pipeline["metadata"] |= {
        "labels": dict(PART_OF),
        "annotations": {_WAVE: "-1", _OPTIONS: "Prune=false", **_KEPT},
    }
    version["metadata"] |= {
        "labels": dict(PART_OF),
        "annotations": {_WAVE: "0", _OPTIONS: "Prune=false,ServerSideApply=true", **_KEPT},
    }
    if code_source_url is not None:
        version["spec"]["codeSourceURL"] = code_source_url
    return pipeline, version


def resources_text(
    compiled: CompiledGraph, *, namespace: str | None = None, code_source_url: str | None = None
) -> str:
    """Return ``pipeline_resources`` as YAML; the same pipeline always gives the same bytes."""
    resources = pipeline_resources(compiled, namespace=namespace, code_source_url=code_source_url)
    return yaml_text(resources, sort_keys=True)


def client_side_size(resource: Manifest) -> int:
    """Return how many bytes the annotation of a client-side ``kubectl apply`` has for a resource.

    Compare it with ``CLIENT_SIDE_LIMIT``. It is two bytes too many for each number such as 1.0,
    which kubectl writes as 1: 304 of 234,023 for the workflow.
    """
    compact = json.dumps(resource, separators=(",", ":"), ensure_ascii=False)
    # Go escapes these three in JSON; the line feed is kubectl's.
    escaped = sum(compact.count(character) for character in "<>&") * len("\\u003")
    return len(compact.encode()) + escaped + 1
