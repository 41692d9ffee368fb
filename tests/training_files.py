"""Generated rows and JSONL files for tests of mixing and post-processing, and the latter run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kfp_sdg.instructlab.mixing import TrainingSettings
from kfp_sdg.instructlab.postprocess import Postprocessed, postprocess_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX = "2026-01-31T12_00_00"
BIRDS = "knowledge_animals_birds"
RHYMES = "compositional_skills_rhymes"
NAMES = "compositional_skills_names"
SYSTEM = "Be exact."
NODES = f"node_datasets_{SUFFIX}"
INSTRUCTIONS = {"spellcheck": ("Mend the spelling.", "Proofread it.")}


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def training_row(number: int, **more: Any) -> dict[str, Any]:
    """Return a training row as a mix takes it."""
    said = [{"role": "user", "content": f"Q{number}?"}, {"role": "assistant", "content": "A."}]
    return {"id": f"id-{number}", "messages": said, "metadata": "{}", "unmask": False, **more}


def knowledge(chunk: int, question: int = 0, **more: Any) -> dict[str, Any]:
    """Return a generated row as the pipeline instructlab/simple or a judged one gives it."""
    return {
        "document": f"Chunk {chunk} is about birds.",
        "icl_document": "Birds fly.",
        "document_outline": "Birds",
        "domain": "zoology",
        "leaf_node_type": "knowledge",
        "leaf_node_path": BIRDS,
        "question": f"What does chunk {chunk} say, {question}?",
        "response": f"Answer {question} of chunk {chunk}.",
        **more,
    }


def rewritten(chunk: int, kind: str, question: int = 0, **more: Any) -> dict[str, Any]:
    """Return a generated row as instructlab/full gives it, with a document in some version."""
    original = f"Chunk {chunk} is about birds."
    document = original if kind == "base_document" else f"Chunk {chunk}, as {kind}."
    return knowledge(
        chunk, question, document=document, raw_document=original, dataset_type=kind, **more
    )


def freeform(number: int, **more: Any) -> dict[str, Any]:
    """Return a generated row of a skill without a context."""
    return {
        "task_description": "Write rhymes",
        "seed_question": "Rhyme on tree?",
        "seed_response": "Bee",
        "leaf_node_type": "freeform_skill",
        "leaf_node_path": RHYMES,
        "question": f"Rhyme on {number}?",
        "response": f"Rhyme {number}.",
        **more,
    }


def grounded(number: int, **more: Any) -> dict[str, Any]:
    """Return a generated row of a grounded skill, the question together with its context."""
    return {
        "task_description": "Find names",
        "seed_context": "Ann met Bob.",
        "seed_question": "Who met Bob?",
        "seed_response": "Ann",
        "leaf_node_type": "grounded_skill",
        "leaf_node_path": NAMES,
        "context": f"Text {number} names Eve.",
        "question": f"Text {number} names Eve.\n\nWho is named in {number}?",
        "response": "Eve.",
        "evaluation": "good",
        "score": 3.0,
        **more,
    }


def simple_grounded(number: int, output: str | None = None) -> dict[str, Any]:
    """Return a generated row of instructlab/simple: question and answer in one text."""
    row = grounded(number)
    for name in ("context", "question", "response", "evaluation", "score"):
        del row[name]
    return {**row, "output": output or f"Who met Bob in {number}?\nAnn did. Did she? Yes."}


def settings(**more: Any) -> TrainingSettings:
    """Return settings that no installation's recipes and instructions change."""
    return TrainingSettings(
        **{
            "system_prompt": SYSTEM,
            "auxiliary_instructions": INSTRUCTIONS,
            "recipe_folders": (),
            **more,
        }
    )


def process(folder: Path, leaves: dict[str, list[dict[str, Any]]], **more: Any) -> Postprocessed:
    """Write generated rows by leaf, and post-process them with some settings changed."""
    for name, rows in leaves.items():
        write_lines(folder / "generated" / f"{name}.jsonl", rows)
    return postprocess_folder(folder / "generated", folder, SUFFIX, settings(**more))
