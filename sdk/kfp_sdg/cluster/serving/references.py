"""What kustomize has to be told about teachers, so that prefixes and suffixes work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest

_GROUP = "serving.kserve.io"

RUNTIME_REFERENCES: Manifest = {
    "nameReference": [
        {
            "group": _GROUP,
            "kind": "ServingRuntime",
            "fieldSpecs": [
                {
                    "group": _GROUP,
                    "kind": "InferenceService",
                    "path": "spec/predictor/model/runtime",
                }
            ],
        }
    ]
}
"""A teacher follows its runtime's name."""
