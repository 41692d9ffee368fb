"""What kustomize has to be told about compiled pipelines, so that overlays work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.cluster.manifests.yaml_text import Manifest, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


def tags_component(tags: Mapping[str, str]) -> Manifest:
    """Return a kustomize Component that puts tags on pipelines and their versions.

    Tags may be changed where a version is there already, unlike the rest of it; so they need not be
    part of what a version's name is the hash of.

    Args:
        tags: At most 20, keys and values of at most 63 characters (``model/pipeline_tags.go``).
    """
    api_version = f"{GROUP}/v2beta1"
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": [
            {
                "target": {"group": GROUP, "kind": kind},
                "patch": yaml_text(
                    [
                        {
                            "apiVersion": api_version,
                            "kind": kind,
                            "metadata": {"name": "any"},
                            "spec": {"tags": dict(tags)},
                        }
                    ]
                ),
            }
            for kind in ("Pipeline", "PipelineVersion")
        ],
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
