"""What the tests of the compiler share: small pipelines, and what they are compiled to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec

if TYPE_CHECKING:
    from kfp_sdg.compiler import CompiledPipeline

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times as fast, on packages of hundreds of KB."""

PROMPT = {
    "system": "You write questions.",
    "introduction": "Read the document.",
    "principles": "",
    "examples": "",
    "generation": "{{document}} {% if x %}{{ {'a': {'b': 1}} }}{% endif %}",
    "start_tags": ["[Q]"],
    "end_tags": ["[/Q]"],
}


def llm(name: str = "gen_q", **config: Any) -> BlockSpec:
    """Return a block that asks a teacher."""
    settings = {"config_path": "configs/q.yaml", "output_cols": ["question"], **config}
    return BlockSpec(name, "LLMBlock", settings)


def column_filter(name: str = "keep", **common: Any) -> BlockSpec:
    """Return a block that asks none."""
    config = {"filter_column": "score", "filter_value": 1.0, "operation": "ge"}
    return BlockSpec(name, "FilterByValueBlock", {**config, "convert_dtype": "float"}, **common)


def pipeline(*blocks: BlockSpec, path: str = "demo.yaml", prompt: Any = None) -> PipelineSpec:
    """Return a pipeline of blocks, with the prompt of those that ask."""
    files = {"configs/q.yaml": ConfigFile("configs/q.yaml", prompt or PROMPT)}
    return PipelineSpec(blocks, files=files, config_path=path)


def documents(compiled: CompiledPipeline) -> list[Any]:
    """Return the YAML documents that a pipeline is compiled to."""
    return list(yaml.load_all(compiled.to_yaml(), YAML_LOADER))
