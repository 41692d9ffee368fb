"""The teacher on KServe and vLLM as manifests: any model, with an estimate of the GPUs it needs.

It writes text and never talks to a cluster.
"""

from __future__ import annotations

from kfp_sdg.cluster.serving.adapters import Adapter, parse_adapter
from kfp_sdg.cluster.serving.estimate import Estimate, WeightType, estimate_lines
from kfp_sdg.cluster.serving.models import ModelShape, known_model, known_models, model_of_config
from kfp_sdg.cluster.serving.plan import Plan, Wishes, plan_teacher
from kfp_sdg.cluster.serving.render import teacher_files, teacher_manifests
from kfp_sdg.cluster.serving.shipped import shipped_teacher_manifests
from kfp_sdg.cluster.serving.teacher import Autoscaling

__all__ = [
    "Adapter",
    "Autoscaling",
    "Estimate",
    "ModelShape",
    "Plan",
    "WeightType",
    "Wishes",
    "estimate_lines",
    "known_model",
    "known_models",
    "model_of_config",
    "parse_adapter",
    "plan_teacher",
    "shipped_teacher_manifests",
    "teacher_files",
    "teacher_manifests",
]
