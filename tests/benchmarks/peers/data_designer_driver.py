"""NeMo Data Designer: a column per request. It has no row filter, so that is done afterwards.

Settings: ``concurrency``, its max_parallel_requests; ``buffer``, the rows that it writes at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import data_designer.config as dd
from data_designer.interface import DataDesigner
from driver import KEEP, MODEL, Order, parts, read_order, report

if TYPE_CHECKING:
    from collections.abc import Mapping


def _taking_apart(name: str, prompt: Mapping[str, Any]) -> dd.CustomColumnConfig:
    """Return the column that makes columns of what stands between the tags of an answer."""
    first, *others = prompt["outputs"]

    @dd.custom_column_generator(required_columns=[f"{name}_text"], side_effect_columns=others)
    def take_apart(row: dict[str, Any]) -> dict[str, Any]:
        return row | parts(prompt, row[f"{name}_text"])

    return dd.CustomColumnConfig(name=first, generator_function=take_apart)


def main(order: Order) -> None:
    """Do the flow."""
    models = [
        dd.ModelConfig(
            alias=name,
            model=MODEL,
            provider="stub",
            skip_health_check=True,
            inference_parameters=dd.ChatCompletionInferenceParams(
                temperature=0.7,
                max_tokens=prompt["max_tokens"],
                max_parallel_requests=order.number("concurrency", 64),
            ),
        )
        for name, prompt in order.prompts.items()
    ]
    provider = dd.ModelProvider(name="stub", endpoint=order.url, api_key="EMPTY")
    builder = dd.DataDesignerConfigBuilder(model_configs=models)
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(Path("rows.jsonl").resolve())))
    for name, prompt in order.prompts.items():
        builder.add_column(
            dd.LLMTextColumnConfig(name=f"{name}_text", prompt=prompt["template"], model_alias=name)
        )
        builder.add_column(_taking_apart(name, prompt))
    designer = DataDesigner(
        artifact_path=order.checkpoint or Path("data_designer"), model_providers=[provider]
    )
    designer.set_run_config(
        dd.RunConfig(buffer_size=order.number("buffer", 1000), otel_metrics_port=None)
    )
    resume = dd.ResumeMode.IF_POSSIBLE if order.checkpoint else dd.ResumeMode.NEVER
    made = designer.create(builder, num_records=len(order.rows), resume=resume).load_dataset()
    if order.judged:
        made = made[made["score"].astype(float) == KEEP]
    report(made.to_dict("records"))


if __name__ == "__main__":
    main(read_order())
