"""Questions to test a trained model with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instructlab.sdg._failures import as_generate_exception
from instructlab.sdg.pipeline import Pipeline
from kfp_sdg.blocks.dataset import from_dataset
from kfp_sdg.instructlab.evaluation import mmlu_files

if TYPE_CHECKING:
    import os

    from datasets import Dataset

    from instructlab.sdg._context import PipelineContext


def generate_eval_task_data(
    mmlubench_pipe: Any,
    task_name: str,
    samples: Dataset,
    output_dir: str | os.PathLike[str],
    date_suffix: str,
) -> None:
    """Write multiple-choice questions about a leaf's documents, and their task for lm-eval.

    Args:
        mmlubench_pipe: The pipeline that writes questions, see ``mmlubench_pipe_init``.
        task_name: The leaf's name.
        samples: The leaf's rows.
        output_dir: Where ``node_datasets_<suffix>`` goes.
        date_suffix: What its name ends in.

    Raises:
        PipelineBlockError: A block failed.
        GenerateException: The disk refuses.
    """
    questions = from_dataset(mmlubench_pipe.generate(samples))
    with as_generate_exception():
        mmlu_files({task_name: questions}, output_dir, date_suffix)


def mmlubench_pipe_init(ctx: PipelineContext) -> Pipeline:
    """Return the pipeline that writes multiple-choice questions about documents."""
    return Pipeline.from_file(ctx, "pipelines/eval/mmlu_bench.yaml")
