"""sdg_hub: the flow in its own YAML. Setting: ``concurrency``, its max_concurrency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from driver import KEEP, MODEL, Order, read_order, report
from sdg_hub.core.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Mapping


def _asking(name: str, prompt: Mapping[str, Any], inputs: list[str]) -> list[dict[str, Any]]:
    """Return the four blocks that ask one prompt and take the answer apart."""
    messages = [{"role": "user", "content": prompt["template"]}]
    Path(f"{name}_messages.yaml").write_text(yaml.safe_dump(messages), encoding="utf-8")
    configs = {
        "PromptBuilderBlock": {
            "block_name": f"{name}_prompt",
            "input_cols": inputs,
            "output_cols": f"{name}_messages",
            "prompt_config_path": f"{name}_messages.yaml",
            "format_as_messages": True,
        },
        "LLMChatBlock": {
            "block_name": f"{name}_chat",
            "input_cols": f"{name}_messages",
            "output_cols": f"{name}_response",
            "max_tokens": prompt["max_tokens"],
            "temperature": 0.7,
            "n": prompt["n"],
            "async_mode": True,
        },
        "LLMResponseExtractorBlock": {
            "block_name": f"{name}_text",
            "input_cols": f"{name}_response",
            "extract_content": True,
        },
        "TagParserBlock": {
            "block_name": f"{name}_parts",
            "input_cols": f"{name}_text_content",
            "output_cols": prompt["outputs"],
            "start_tags": prompt["start_tags"],
            "end_tags": prompt["end_tags"],
        },
    }
    return [{"block_type": kind, "block_config": config} for kind, config in configs.items()]


def main(order: Order) -> None:
    """Do the flow."""
    blocks = _asking("ask", order.prompts["ask"], ["domain", "document"])
    if order.judged:
        blocks += _asking("judge", order.prompts["judge"], ["document", "question", "answer"])
        keep = {
            "block_name": "keep",
            "input_cols": ["score"],
            "filter_value": KEEP,
            "operation": "eq",
            "convert_dtype": "float",
        }
        blocks.append({"block_type": "ColumnValueFilterBlock", "block_config": keep})
    about = {"name": "Benchmark", "version": "1.0.0", "author": "benchmark"}
    content = yaml.safe_dump({"metadata": about, "blocks": blocks}, sort_keys=False)
    Path("sdg_hub_flow.yaml").write_text(content, encoding="utf-8")
    flow = Flow.from_yaml("sdg_hub_flow.yaml")
    flow.set_model_config(model=f"hosted_vllm/{MODEL}", api_base=order.url, api_key="EMPTY")
    rows = flow.generate(
        pd.DataFrame(order.rows),
        checkpoint_dir=str(order.checkpoint) if order.checkpoint else None,
        save_freq=order.number("save_every", 50) if order.checkpoint else None,
        max_concurrency=order.number("concurrency", 128),
    )
    report(rows.to_dict("records"))


if __name__ == "__main__":
    main(read_order())
