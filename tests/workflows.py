"""The InstructLab workflow in tests: a taxonomy with documents, a run on KFP's local runner."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from document_repositories import repository
from kfp_sdg.compiler import compile_workflow
from kfp_sdg.compiler.local_process import LocalRunner
from kfp_sdg.instructlab.pipeline_set import find_pipelines
from stub_answers import Ask, tagged_answer

if TYPE_CHECKING:
    from collections.abc import Iterable

SHARED_TAXONOMY = Path(__file__).parents[2] / "shared" / "data" / "taxonomy"
SUFFIX = "2026-01-31T12_00_00"

CHICKADEE = """# Little black-capped birds

## Where they live

Small flocks of these birds stay in the same woods all year. They sleep in holes of birches, one
bird to a hole, and are back at the same bushes by sunrise.

## What they eat

In summer most of their food is caterpillars and spiders. In autumn each bird hides seeds behind
bark, a few in every place, and finds them again weeks later.
"""


def taxonomy_in(folder: Path) -> Path:
    """Copy the shared taxonomy into a git repository; its document is in another one beside it."""
    commit = repository(folder / "documents", {"chickadee.md": CHICKADEE})
    taxonomy = folder / "taxonomy"
    shutil.copytree(SHARED_TAXONOMY, taxonomy)
    for file in taxonomy.glob("knowledge/**/qna.yaml"):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        content["document"] |= {"repo": str(folder / "documents"), "commit": commit}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
        file.write_text(text, encoding="utf-8")
    repository(taxonomy, {})
    return taxonomy


_CHOICES = "A) Oats\nB) Rye\nC) Barley\nD) Wheat"


def answer(ask: Ask) -> str:
    """Write what a prompt asks for, multiple-choice questions too; some rows pass every judge."""
    if "Write multiple-choice questions" in ask.prompt:
        place = "ABCD"[ask.number % 4]
        question = f"[Start of Question]\nWhat grew in year {ask.number}?\n\n{_CHOICES}\n"
        return f"{question}[End of Question]\n[Start of Answer]\n{place})\n[End of Answer]"
    return _TAGGED(ask)


_TAGGED = tagged_answer({"score": ["1", "2", "2"]})


@dataclass(frozen=True)
class WorkflowRun:
    """What a workflow left behind.

    Attributes:
        root: The folder of its tasks' artifacts.
        log: What was printed.
        succeeded: What the runner says.
    """

    root: Path
    log: str
    succeeded: bool

    @property
    def tasks(self) -> set[str]:
        """The tasks that ran."""
        return {folder.name for folder in self.root.glob("*/*") if folder.is_dir()}

    def artifact(self, task: str, name: str) -> Path:
        """Return where an output of a task is."""
        (path,) = self.root.glob(f"*/{task}/{name}")
        return path


def run_workflow(pipelines: str, folder: Path, **arguments: Any) -> WorkflowRun:
    """Compile a set of pipelines and run the workflow through KFP's local runner."""
    folder.mkdir()
    text = compile_workflow(find_pipelines(pipelines), name="workflow").to_yaml()
    arguments = {"date_suffix": SUFFIX, "teacher_patience": 0, **arguments}
    with LocalRunner(text, arguments, folder) as runner:
        log = "".join(runner.output())
        return WorkflowRun(runner.pipeline_root, log, runner.succeeded())


def contents(folder: Path, leave_out: Iterable[str] = ()) -> dict[str, bytes]:
    """Return every file of a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in leave_out
    }
