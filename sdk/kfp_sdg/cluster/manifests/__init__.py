"""Compiled pipelines as Kubernetes resources, in folders that kustomize and Argo CD take.

It writes files and never talks to a cluster.
"""

from __future__ import annotations

from kfp_sdg.cluster.manifests.base import base_files, write_to_base
from kfp_sdg.cluster.manifests.kustomize import kustomize_config
from kfp_sdg.cluster.manifests.resources import (
    CLIENT_SIDE_LIMIT,
    client_side_size,
    pipeline_resources,
    resources_text,
)
from kfp_sdg.cluster.manifests.yaml_text import Manifest, yaml_text

__all__ = [
    "CLIENT_SIDE_LIMIT",
    "Manifest",
    "base_files",
    "client_side_size",
    "kustomize_config",
    "pipeline_resources",
    "resources_text",
    "write_to_base",
    "yaml_text",
]
