"""What the tests of the language share: small files, and the problems that loading them has."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.spec import PipelineSpec, Problem, SpecError, load_pipeline

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = """\
system: You are brief.
introduction: Write a question about {{ topic }}.
principles:
examples:
generation: |
  Topic: {{ topic }}

  Question:
start_tags: ["[Q]"]
end_tags: ["[/Q]"]
"""


def block(name: str = "ask", kind: str = "LLMBlock", config: str = "", more: str = "") -> str:
    """Return the YAML of a block; its config's first line is the block's line 4."""
    text = f"- name: {name}\n  type: {kind}\n  config:\n"
    text += indent(dedent(config), "    ") if config else "    {}\n"
    return text + indent(dedent(more), "  ")


def ask(name: str = "ask", config: str = "", more: str = "") -> str:
    """Return the YAML of a block that asks a teacher; its prompt is ``prompt.yaml``."""
    return block(name, config="config_path: prompt.yaml\noutput_cols: [q]\n" + config, more=more)


ASK = block(config="config_path: prompt.yaml\noutput_cols: [question]\n")


def pipeline(*blocks: str) -> str:
    """Return the YAML of a pipeline; its first block begins on line 3."""
    return 'version: "1.0"\nblocks:\n' + "".join(blocks)


def load(folder: Path, text: str, **options: Any) -> PipelineSpec:
    """Load a pipeline written to ``p.yaml`` in a folder that has ``prompt.yaml``."""
    (folder / "p.yaml").write_text(text, encoding="utf-8")
    if not (folder / "prompt.yaml").exists():
        (folder / "prompt.yaml").write_text(PROMPT, encoding="utf-8")
    return load_pipeline(folder / "p.yaml", **options)


def problems(folder: Path, text: str, **options: Any) -> tuple[Problem, ...]:
    """Return what is wrong with a pipeline; at least one thing must be."""
    with pytest.raises(SpecError) as caught:
        load(folder, text, **options)
    assert caught.value.exit_code == 2
    return caught.value.problems


def only_problem(folder: Path, text: str, **options: Any) -> Problem:
    """Return the one thing that is wrong with a pipeline."""
    found = problems(folder, text, **options)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def place(problem: Problem) -> tuple[int, int]:
    """Return a problem's line and column."""
    return problem.where.line, problem.where.column


def where(text: str, needle: str) -> tuple[int, int]:
    """Return the line and column at which a piece of text first stands."""
    before = text[: text.index(needle)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
