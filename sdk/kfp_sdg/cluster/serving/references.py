"""What kustomize has to be told about teachers, so that prefixes and suffixes work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest

_GROUP = "serving.kserve.io"
_SERVICE = {"group": _GROUP, "kind": "InferenceService"}

TEACHER_REFERENCES: Manifest = {
    "nameReference": [
        {
            "group": _GROUP,
            "kind": "ServingRuntime",
            "fieldSpecs": [{**_SERVICE, "path": "spec/predictor/model/runtime"}],
        },
        {
            "kind": "ServiceAccount",
            "version": "v1",
            "fieldSpecs": [{**_SERVICE, "path": "spec/predictor/serviceAccountName"}],
        },
        {
            **_SERVICE,
            "fieldSpecs": [
                {
                    "group": "policy",
                    "kind": "PodDisruptionBudget",
                    "path": r"spec/selector/matchLabels/serving.kserve.io\/inferenceservice",
                }
            ],
        },
    ]
}
"""A teacher follows the names of its runtime and service account, a budget that of its teacher."""
