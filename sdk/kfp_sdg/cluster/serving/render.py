"""Everything that a teacher needs in its namespace, as manifests and as a folder for kustomize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.cluster.manifests import yaml_text
from kfp_sdg.cluster.manifests.kustomize import CONFIG_FILE, kustomization
from kfp_sdg.cluster.serving.llm_service import PROMETHEUS, llm_inference_service
from kfp_sdg.cluster.serving.references import TEACHER_REFERENCES
from kfp_sdg.cluster.serving.runtime import serving_runtime
from kfp_sdg.cluster.serving.surroundings import (
    disruption_budget,
    network_policy,
    service_monitor,
)
from kfp_sdg.cluster.serving.teacher import Teacher, inference_service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.cluster.manifests import Manifest

KUSTOMIZATION = "kustomization.yaml"


def teacher_manifests(teacher: Teacher, *, llm: bool = False) -> list[Manifest]:
    """Return what a teacher needs, in the order in which it is applied.

    Args:
        teacher: The teacher.
        llm: Whether it is to be an LLMInferenceService, which needs no runtime of ours and is its
            own network and monitoring.

    Raises:
        SpecError: The teacher cannot be an LLMInferenceService.
    """
    scaling = teacher.autoscaling
    if llm:
        most, prometheus = (scaling.most, scaling.prometheus) if scaling else (1, PROMETHEUS)
        return [llm_inference_service(teacher, most=most, prometheus=prometheus)]
    made = [serving_runtime(gpu=teacher.gpus > 0), inference_service(teacher), network_policy()]
    if scaling:
        made += [service_monitor(), disruption_budget(teacher.name)]
    return made


def teacher_files(manifests: Iterable[Manifest], header: str = "") -> dict[str, str]:
    """Return a folder for ``kubectl apply -k``: a file for each manifest, by its kind.

    Args:
        manifests: ``teacher_manifests``.
        header: What is to stand above each, as comment lines.
    """
    files = {
        f"{_dashed(manifest['kind'])}.yaml": yaml_text([manifest], header=header)
        for manifest in manifests
    }
    whole = kustomization(list(files), configurations=[CONFIG_FILE])
    files[CONFIG_FILE] = yaml_text([TEACHER_REFERENCES], header=header)
    return {KUSTOMIZATION: yaml_text([whole], header=header), **files}


def _dashed(kind: str) -> str:
    """Return a kind as the name of a file: "InferenceService" → "inference-service"."""
    words = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind).strip("-")
    return words.replace("l-l-m-", "llm-")
