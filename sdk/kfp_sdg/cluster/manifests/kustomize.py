"""What kustomize has to be told about compiled pipelines, so that overlays work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.cluster.manifests.yaml_text import Manifest

CONFIG_FILE = "kustomizeconfig.yaml"
GROUP = "pipelines.kubeflow.org"


def kustomize_config(resources: Iterable[Manifest]) -> Manifest:
    """Return the ``configurations`` file for compiled pipelines.

    With it ``images:`` reaches into every executor, and ``namePrefix`` and ``nameSuffix`` keep a
    version with its Pipeline. Kustomize has no wildcard on the keys of a map ("wildcard is not
    supported in PathGetter"), so there is one path for each executor. What a base configures holds
    in every overlay on it.

    Args:
        resources: Pipelines and PipelineVersions; others are passed over.
    """
    executors = {
        name
        for resource in resources
        if resource["kind"] == "PipelineVersion"
        for name in resource["spec"]["pipelineSpec"]["deploymentSpec"]["executors"]
    }
    version = {"group": GROUP, "kind": "PipelineVersion"}
    path = "spec/pipelineSpec/deploymentSpec/executors/{}/container/image"
    return {
        "nameReference": [
            {
                "group": GROUP,
                "kind": "Pipeline",
                "fieldSpecs": [{**version, "path": "spec/pipelineName"}],
            }
        ],
        "images": [{**version, "path": path.format(name)} for name in sorted(executors)],
    }


def kustomization(resources: Iterable[str], **fields: object) -> Manifest:
    """Return a ``kustomization.yaml``.

    Args:
        resources: Files and folders, in the order in which they are to stand.
        fields: Its other fields, by their names.
    """
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources),
        **fields,
    }
