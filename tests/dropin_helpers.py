"""Driving the import paths of InstructLab from a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import yaml

from instructlab.sdg import Pipeline, PipelineContext

if TYPE_CHECKING:
    from pathlib import Path

    from stub_teacher import StubTeacher

PROMPT = {
    "system": "You answer.",
    "introduction": None,
    "principles": "",
    "examples": "",
    "generation": "Question: {{question}}",
    "start_tags": ["<answer>"],
    "end_tags": ["</answer>"],
}


def client_of(stub: StubTeacher) -> openai.OpenAI:
    """Return a client of the stub teacher."""
    return openai.OpenAI(base_url=stub.url, api_key="EMPTY")


def context_for(stub: StubTeacher, **settings: Any) -> PipelineContext:
    """Return a context with the stub teacher and its model in the chat format of Mixtral."""
    known = {"model_family": "mixtral", "model_id": "stub-model", **settings}
    return PipelineContext(client_of(stub), **known)


def write_config(folder: Path, name: str = "answer.yaml", **changes: Any) -> Path:
    """Write a prompt config that asks about ``question`` and gives ``answer``."""
    path = folder / name
    path.write_text(yaml.safe_dump({**PROMPT, **changes}))
    return path


def entry(name: str, kind: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a block's entry."""
    return {"name": name, "type": kind, "config": config, **more}


def answering(name: str = "answer", kind: str = "LLMBlock", **config: Any) -> dict[str, Any]:
    """Return the entry of a block that answers ``question``."""
    settings = {"config_path": "answer.yaml", "output_cols": ["answer"], **config}
    return entry(name, kind, settings)


def pipeline_of(folder: Path, context: PipelineContext | None, *blocks: dict[str, Any]) -> Pipeline:
    """Return a pipeline in a folder that has a prompt config."""
    write_config(folder)
    return Pipeline(context, str(folder / "pipeline.yaml"), list(blocks))
