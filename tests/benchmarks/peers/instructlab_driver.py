"""instructlab-sdg: its own pipeline file, read as it is.

Settings: ``batch`` and ``workers`` are batch_size and batch_num_workers; without them its defaults
hold. dataset_num_procs is None: its default of 8 forks worker processes out of threads, which hung
most runs of a pipeline with a filter.
"""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset, disable_progress_bars
from driver import MODEL, Order, read_order, report
from openai import OpenAI

from instructlab.sdg.pipeline import Pipeline, PipelineContext


def main(order: Order) -> None:
    """Do the flow."""
    disable_progress_bars()
    context = PipelineContext(
        client=OpenAI(base_url=order.url, api_key="EMPTY"),
        model_id=MODEL,
        model_family="blank",
        dataset_num_procs=None,
        batch_size=order.number("batch", PipelineContext.DEFAULT_BATCH_SIZE),
        batch_num_workers=order.number("workers", 0) or None,
        checkpoint_dir=str(order.checkpoint) if order.checkpoint else None,
    )
    pipeline = Pipeline.from_file(context, str(Path("pipeline.yaml").resolve()))
    name = "flow" if order.checkpoint else None
    if order.checkpoint:
        (order.checkpoint / "flow").mkdir(parents=True, exist_ok=True)
    report(pipeline.generate(Dataset.from_list(order.rows), name))


if __name__ == "__main__":
    main(read_order())
