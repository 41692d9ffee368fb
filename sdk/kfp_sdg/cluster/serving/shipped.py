"""The teachers of ``manifests/teacher``: written by the code that renders any other."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kfp_sdg.cluster.manifests import yaml_text
from kfp_sdg.cluster.manifests.kustomize import CONFIG_FILE, kustomization
from kfp_sdg.cluster.serving.adapters import Adapter
from kfp_sdg.cluster.serving.components import component_files
from kfp_sdg.cluster.serving.llm_service import llm_inference_service
from kfp_sdg.cluster.serving.plan import Wishes, plan_teacher
from kfp_sdg.cluster.serving.references import TEACHER_REFERENCES
from kfp_sdg.cluster.serving.runtime import serving_runtime
from kfp_sdg.cluster.serving.surroundings import network_policy
from kfp_sdg.cluster.serving.teacher import Teacher, inference_service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.cluster.manifests import Manifest

_FOLDER = PurePosixPath("teacher")
_HEADER = "Written by make manifests."
_CLAIM = "pvc://lab-adapters"

LAB_ADAPTERS = tuple(
    Adapter(name, f"{_CLAIM}/{name}")
    for name in ("skill-classifier-v3-clm", "text-classifier-knowledge-v3-clm")
)
"""What InstructLab's agentic pipelines ask for beside the model itself."""


def shipped_teachers() -> tuple[Teacher, ...]:
    """Return the teachers that come with the project."""
    wishes = (
        Wishes("mistralai/Mixtral-8x7B-Instruct-v0.1"),
        Wishes("mistralai/Mistral-7B-Instruct-v0.2"),
        Wishes("Qwen/Qwen2.5-0.5B-Instruct", name="demo-teacher", gpus=0, context=4096),
    )
    return tuple(plan_teacher(wish).teacher for wish in wishes)


def shipped_teacher_manifests() -> Mapping[PurePosixPath, str]:
    """Return every file of ``manifests/teacher`` that is made by code, by its path in manifests."""
    teachers = shipped_teachers()
    runtimes = [serving_runtime(gpu=True), serving_runtime(gpu=False)]
    files = _base("runtime", runtimes, configurations=[CONFIG_FILE])
    files[_FOLDER / "runtime" / CONFIG_FILE] = yaml_text([TEACHER_REFERENCES], header=_HEADER)
    for teacher in teachers:
        files |= _base(f"models/{teacher.name}", [inference_service(teacher)])
    mixtral = Wishes(teachers[0].model, adapters=LAB_ADAPTERS)
    files |= _base("llm-inference-service", [llm_inference_service(plan_teacher(mixtral).teacher)])
    components = component_files(teachers, {teachers[0].name: LAB_ADAPTERS})
    files |= {_FOLDER / "components" / path: text for path, text in components.items()}
    files |= _base("network-policy", [network_policy()])
    models = [f"models/{teacher.name}" for teacher in teachers]
    whole = kustomization(["runtime", *models, "network-policy"])
    files[_FOLDER / "kustomization.yaml"] = yaml_text([whole], header=_HEADER)
    return files


def _base(folder: str, manifests: list[Manifest], **fields: object) -> dict[PurePosixPath, str]:
    """Return the files of a kustomize base: a file for each manifest, named after its object."""
    named = {f"{m['metadata']['name']}.yaml": m for m in manifests}
    place = _FOLDER / folder
    files = {place / name: yaml_text([m], header=_HEADER) for name, m in named.items()}
    kustomize = kustomization(list(named), **fields)
    files[place / "kustomization.yaml"] = yaml_text([kustomize], header=_HEADER)
    return files
