"""What OpenShift AI wants of resources that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests.yaml_text import Manifest

_DASHBOARD = {"opendatahub.io/dashboard": "true"}


def runtime_template(runtime: Manifest) -> Manifest:
    """Return a Template, by which the dashboard offers a ServingRuntime for every model.

    Its annotations are those that odh-dashboard reads (``servingRuntimeUtils.ts``).

    Args:
        runtime: The ServingRuntime.
    """
    metadata = runtime["metadata"]
    name = metadata["name"]
    annotations = metadata.get("annotations", {})
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {
            "name": annotations.get("opendatahub.io/template-name", f"{name}-template"),
            "labels": dict(_DASHBOARD),
            "annotations": {
                "description": "vLLM as kfp-sdg sets it up for teachers",
                "openshift.io/display-name": annotations.get("openshift.io/display-name", name),
                "opendatahub.io/apiProtocol": "REST",
                "opendatahub.io/model-type": '["generative"]',
                "opendatahub.io/modelServingSupport": '["single"]',
            },
        },
        "objects": [runtime],
    }
