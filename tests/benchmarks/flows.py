"""The two flows that every system runs, and their rows.

Flow A asks one question and one answer per document. Flow B lets a judge score them and keeps
those with score 2, which are three of four. ``write`` leaves what each system reads:
``rows.jsonl``, ``pipeline.yaml`` with its prompt files in InstructLab's format, and ``flow.json``
with the prompts as plain templates for systems that have no such files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

JUDGE_MARK = "Judge the pair"
"""How the server tells a judge's prompt from a generator's."""

_WORDS = (
    *("anchor", "basin", "canal", "dynamo", "ember", "furnace", "glacier", "hinge", "ironwood"),
    *("jetty", "kiln", "loom", "mortar", "nozzle", "oxide", "pulley", "quarry", "rivet"),
    *("sluice", "turbine", "upland", "valve", "weir", "yarrow"),
)

_FORMAT_OF_PAIR = "Answer in this form and add nothing:\n[Question]\n…\n[Answer]\n…\n[End]"
_FORMAT_OF_SCORE = (
    "Answer in this form and add nothing:\n[Reason]\n…\n[End]\n[Score]\n1 or 2\n[End]"
)


@dataclass(frozen=True)
class Prompt:
    """A prompt in InstructLab's parts.

    Attributes:
        introduction: What the teacher is to do; ``{{column}}`` stands for a row's value.
        principles: The form of the answer.
        generation: The material.
        start_tags: What stands before each part of an answer.
        end_tags: What stands behind it.
        outputs: The columns that the parts become.
        max_tokens: The length of an answer that is asked for.
    """

    introduction: str
    principles: str
    generation: str
    start_tags: tuple[str, ...]
    end_tags: tuple[str, ...]
    outputs: tuple[str, ...]
    max_tokens: int

    @property
    def text(self) -> str:
        """The whole prompt as one Jinja template."""
        return f"{self.introduction}\n{self.principles}\n{self.generation}"

    def as_config(self) -> dict[str, object]:
        """Return the prompt file as InstructLab's pipelines have it."""
        return {
            "system": "",
            "introduction": self.introduction,
            "principles": self.principles,
            "examples": "",
            "generation": self.generation,
            "start_tags": self.start_tags,
            "end_tags": self.end_tags,
        }

    def as_block(self, name: str, n: int) -> dict[str, object]:
        """Return the LLMBlock that asks this prompt; the prompt file is NAME.yaml."""
        options: dict[str, object] = {"max_tokens": self.max_tokens, "temperature": 0.7}
        return {
            "name": name,
            "type": "LLMBlock",
            "config": {
                "config_path": f"{name}.yaml",
                "output_cols": list(self.outputs),
                "gen_kwargs": options | ({"n": n} if n > 1 else {}),
            },
        }


ASK = Prompt(
    introduction="Write a question about the following text from {{domain}}, and its answer.",
    principles=_FORMAT_OF_PAIR,
    generation="Text:\n{{document}}",
    start_tags=("[Question]", "[Answer]"),
    end_tags=("[Answer]", "[End]"),
    outputs=("question", "answer"),
    max_tokens=256,
)
JUDGE = Prompt(
    introduction=f"{JUDGE_MARK}: does the text support the answer? 2 means yes, 1 means no.",
    principles=_FORMAT_OF_SCORE,
    generation="Text:\n{{document}}\n\nQuestion: {{question}}\nAnswer: {{answer}}",
    start_tags=("[Reason]", "[Score]"),
    end_tags=("[End]", "[End]"),
    outputs=("reason", "score"),
    max_tokens=64,
)
_KEEP = {
    "name": "keep",
    "type": "FilterByValueBlock",
    "config": {
        "filter_column": "score",
        "filter_value": 2.0,
        "operation": "eq",
        "convert_dtype": "float",
    },
    "drop_columns": ["reason", "score"],
}


def rows(count: int) -> list[dict[str, object]]:
    """Return documents of about 600 characters; document i opens with "Item i."."""
    result = []
    for i in range(count):
        words = (_WORDS[(i * 5 + j * 7) % len(_WORDS)] for j in range(95))
        domain = _WORDS[i % len(_WORDS)]
        result.append({"id": i, "domain": domain, "document": f"Item {i}. {' '.join(words)}."})
    return result


def score(item: int) -> int:
    """Return what the judge says of a document, whichever system asks: one in four is bad."""
    return 1 if item % 4 == 0 else 2


def expected_rows(flow: str, count: int, n: int = 1) -> int:
    """Return how many rows a system must return."""
    kept = count if flow == "A" else sum(score(i) == 2 for i in range(count))
    return kept * n


def answers(flow: str, count: int, n: int = 1) -> int:
    """Return how many answers a run needs that loses and repeats none."""
    return count * n * (1 if flow == "A" else 2)


def write(folder: Path, flow: str, count: int, n: int = 1) -> None:
    """Write rows, pipeline and prompts of a flow into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts = {"ask": ASK} | ({"judge": JUDGE} if flow == "B" else {})
    blocks = [prompt.as_block(name, n if name == "ask" else 1) for name, prompt in prompts.items()]
    blocks += [_KEEP] if flow == "B" else []
    pipeline: dict[str, object] = {"version": "1.0", "blocks": blocks}
    configs = {name: prompt.as_config() for name, prompt in prompts.items()}
    for name, content in {"pipeline": pipeline, **configs}.items():
        # JSON is YAML; the peers' loaders read it as such.
        (folder / f"{name}.yaml").write_text(json.dumps(content), encoding="utf-8")
    plain: dict[str, dict[str, object]] = {
        name: {
            "template": prompt.text,
            "start_tags": prompt.start_tags,
            "end_tags": prompt.end_tags,
            "outputs": prompt.outputs,
            "max_tokens": prompt.max_tokens,
            "n": n if name == "ask" else 1,
        }
        for name, prompt in prompts.items()
    }
    (folder / "flow.json").write_text(json.dumps(plain), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in rows(count))
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
