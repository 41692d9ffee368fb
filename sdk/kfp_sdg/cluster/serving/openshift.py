"""What OpenShift AI's dashboard reads of a ServingRuntime, and how it offers one to everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.cluster.serving.runtime import serving_runtime

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest

_DASHBOARD = {"opendatahub.io/dashboard": "true"}
_FOR_GPUS = {"opendatahub.io/recommended-accelerators": '["nvidia.com/gpu"]'}
_PROTOCOL = {"opendatahub.io/apiProtocol": "REST"}

RUNTIME_CHANGE: Manifest = {
    "metadata": {"labels": _DASHBOARD, "annotations": _PROTOCOL},
    "spec": {"annotations": {"opendatahub.io/kserve-runtime": "vllm"}},
}
"""What a ServingRuntime has more on OpenShift AI; the last turns the metrics' dashboard on."""


def runtime_template(*, gpu: bool) -> Manifest:
    """Return a Template, by which the dashboard offers our ServingRuntime for any model.

    The annotations are those that odh-dashboard reads (``servingRuntimeUtils.ts``).

    Args:
        gpu: Whether it is the runtime for GPUs, or the one for CPUs.
    """
    runtime = serving_runtime(gpu=gpu)
    metadata, change = runtime["metadata"], RUNTIME_CHANGE["metadata"]
    named = metadata["annotations"]
    offered = {
        **runtime,
        "metadata": {
            "name": metadata["name"],
            "labels": {**metadata["labels"], **change["labels"]},
            "annotations": {
                **named,
                **change["annotations"],
                **(
                    {"opendatahub.io/recommended-accelerators": '["nvidia.com/gpu"]'} if gpu else {}
                ),
            },
        },
        "spec": {
            **runtime["spec"],
            "annotations": {
                **runtime["spec"]["annotations"],
                **RUNTIME_CHANGE["spec"]["annotations"],
            },
        },
    }
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {
            "name": f"{metadata['name']}-template",
            "labels": {**metadata["labels"], **_DASHBOARD},
            "annotations": {
                "description": "vLLM as kfp-sdg sets it up for teachers",
                "openshift.io/display-name": named["openshift.io/display-name"],
                **_PROTOCOL,
                "opendatahub.io/model-type": '["generative"]',
                "opendatahub.io/modelServingSupport": '["single"]',
            },
        },
        "objects": [offered],
    }
