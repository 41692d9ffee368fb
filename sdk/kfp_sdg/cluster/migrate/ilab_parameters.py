"""The 47 parameters of ilab-on-ocp's pipeline, as its last version of June 2025 has them.

From the signature of ``ilab_pipeline`` in opendatahub-io/ilab-on-ocp (``pipeline.py``), commit
1320eb36.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRAINING = "it trained a model; kfp-sdg ends with the training data, which any training can read"
EVALUATION = (
    "it evaluated a trained model; kfp-sdg writes the questions to test with (evaluate: true) and "
    "runs no evaluation"
)
OUTPUT = "it registered and pushed the trained model, which kfp-sdg does not make"
STORAGE = "data goes from task to task as artifacts; no volume is needed"
SDG = ""
"""Parameters that have rules of their own."""


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter of theirs.

    Attributes:
        kind: The type of its values.
        default: Its default; None where it has none.
        why_not: Why it has no counterpart; ``SDG`` where a rule says what becomes of it.
    """

    kind: type
    default: Any = None
    why_not: str = SDG


PARAMETERS: dict[str, Known] = {
    "sdg_base_model": Known(str, why_not=TRAINING),
    "sdg_repo_url": Known(str),
    "output_oci_model_uri": Known(str, "", OUTPUT),
    "output_oci_registry_secret": Known(str, why_not=OUTPUT),
    "output_model_name": Known(str, why_not=OUTPUT),
    "output_model_version": Known(str, why_not=OUTPUT),
    "output_model_registry_name": Known(str, why_not=OUTPUT),
    "output_model_registry_api_url": Known(str, why_not=OUTPUT),
    "output_modelcar_base_image": Known(
        str, "registry.access.redhat.com/ubi9-micro:latest", OUTPUT
    ),
    "sdg_repo_secret": Known(str, "taxonomy-repo-secret"),
    "sdg_repo_branch": Known(str, "main"),
    "sdg_repo_pr": Known(int, 0),
    "sdg_teacher_secret": Known(str, "teacher-secret"),
    "sdg_scale_factor": Known(int, 30),
    "sdg_pipeline": Known(str, "/usr/share/instructlab/sdg/pipelines/agentic"),
    "sdg_max_batch_len": Known(int, 5000, TRAINING),
    "sdg_sample_size": Known(float, 1.0),
    "sdg_batch_size": Known(int, 32),
    "sdg_num_workers": Known(int, 2),
    "train_tolerations": Known(list),
    "train_node_selectors": Known(dict),
    "train_gpu_identifier": Known(str, "nvidia.com/gpu", TRAINING),
    "train_gpu_per_worker": Known(int, 2, TRAINING),
    "train_cpu_per_worker": Known(str, "2", TRAINING),
    "train_memory_per_worker": Known(str, "250Gi", TRAINING),
    "train_num_workers": Known(int, 2, TRAINING),
    "train_num_epochs_phase_1": Known(int, 7, TRAINING),
    "train_num_epochs_phase_2": Known(int, 10, TRAINING),
    "train_effective_batch_size_phase_1": Known(int, 128, TRAINING),
    "train_effective_batch_size_phase_2": Known(int, 3840, TRAINING),
    "train_learning_rate_phase_1": Known(float, 2e-05, TRAINING),
    "train_learning_rate_phase_2": Known(float, 6e-06, TRAINING),
    "train_num_warmup_steps_phase_1": Known(int, 1000, TRAINING),
    "train_num_warmup_steps_phase_2": Known(int, 1000, TRAINING),
    "train_save_samples": Known(int, 250000, TRAINING),
    "train_max_batch_len": Known(int, 5000, TRAINING),
    "train_seed": Known(int, 42, TRAINING),
    "mt_bench_max_workers": Known(str, "auto", EVALUATION),
    "mt_bench_merge_system_user_message": Known(bool, False, EVALUATION),
    "final_eval_max_workers": Known(str, "auto", EVALUATION),
    "final_eval_few_shots": Known(int, 5, EVALUATION),
    "final_eval_batch_size": Known(str, "auto", EVALUATION),
    "final_eval_merge_system_user_message": Known(bool, False, EVALUATION),
    "eval_gpu_identifier": Known(
        str, "nvidia.com/gpu", "no task of kfp-sdg needs a GPU; the teacher has them"
    ),
    "eval_judge_secret": Known(str, "judge-secret", EVALUATION),
    "k8s_storage_class_name": Known(str, "standard", STORAGE),
    "k8s_storage_size": Known(str, "100Gi", STORAGE),
}

FORMER_NAMES = {
    "train_nnodes": "train_num_workers",
    "train_nproc_per_node": "train_gpu_per_worker",
    "output_model_version_name": "output_model_version",
    "storage_class_name": "k8s_storage_class_name",
    "repo_url": "sdg_repo_url",
    "repo_branch": "sdg_repo_branch",
    "repo_pr": "sdg_repo_pr",
    "num_instructions_to_generate": "sdg_scale_factor",
    "base_model": "sdg_base_model",
}
"""Names of earlier versions, by which their own test still passes some."""
