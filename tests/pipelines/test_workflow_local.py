"""The InstructLab workflow as KFP runs it on this machine, against one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.storage import fingerprint, read_dataset, read_rows
from stub_teacher import StubTeacher
from taxonomies import SKILL, skill, write_leaf
from workflows import SHARED_TAXONOMY, SUFFIX, answer, contents, run_workflow, taxonomy_in

if TYPE_CHECKING:
    from stub_answers import Ask

INSTRUCTIONS = 2
SCALE = ("knowledge/*", 1)
LAST_BLOCKS = {
    "simple": {
        LeafKind.KNOWLEDGE: "gen-knowledge",
        LeafKind.FREEFORM: "gen-skill-freeform",
        LeafKind.GROUNDED: "gen-skill-grounded",
        "evaluation": "gen-mmlu-knowledge",
    },
    "full": {
        LeafKind.KNOWLEDGE: "filter-verify-question",
        LeafKind.FREEFORM: "filter-qa-pair",
        LeafKind.GROUNDED: "combine-question-and-context",
        "evaluation": "gen-mmlu-knowledge",
    },
}
CHICKADEE = "knowledge_science_animals_birds_black_capped_chickadee"
CHUNK_WORDS = 45  # two pieces of the document


@pytest.fixture
def skills(tmp_path: Path) -> Path:
    """A taxonomy of one freeform skill."""
    write_leaf(tmp_path / "taxonomy", SKILL, skill())
    return tmp_path / "taxonomy"


def generate(pipelines: str, taxonomy: Path, output: Path, url: str) -> int:
    """Do the same with ``kfp-sdg generate``."""
    options = {
        "taxonomy": taxonomy,
        "output": output,
        "pipeline": pipelines,
        "teacher-url": url,
        "scale-factor": INSTRUCTIONS,
        "chunk-word-count": CHUNK_WORDS,
        "date-suffix": SUFFIX,
        "leaf-scale": "{}={}".format(*SCALE),
    }
    return main(["generate", "--allow-empty", *(f"--{k}={v}" for k, v in options.items())])


@pytest.mark.shared
@pytest.mark.skipif(not SHARED_TAXONOMY.exists(), reason="needs ../shared")
@pytest.mark.parametrize("pipelines", ["simple", "full"])
def test_a_taxonomy_gives_the_same_rows_and_files_on_kfp_as_with_generate(
    pipelines: str, tmp_path: Path
) -> None:
    taxonomy, here = taxonomy_in(tmp_path), tmp_path / "here"
    with StubTeacher(answer=answer) as stub:
        assert generate(pipelines, taxonomy, here, stub.url) == 0
        run = run_workflow(
            pipelines,
            tmp_path / "run",
            taxonomy_repo=str(taxonomy),
            taxonomy_branch="main",
            chunk_word_count=CHUNK_WORDS,
            scale_factors=json.dumps(dict([SCALE])),
            teacher_url=stub.url,
            num_instructions_to_generate=INSTRUCTIONS,
            allow_empty=True,
        )
    assert run.succeeded, run.log
    assert not {task for task in run.tasks if task.startswith("no-rows")}
    data = run.artifact("postprocess", "training_data")
    ours, theirs = contents(data), contents(here)

    # What one process keeps besides: the documents' repositories, and the books of its blocks.
    apart = ("documents", "checkpoint", *LeafKind, "evaluation")
    theirs = {path: text for path, text in theirs.items() if not set(Path(path).parts) & {*apart}}
    assert ours.keys() == theirs.keys()
    lm_eval = f"node_datasets_{SUFFIX}/{CHICKADEE}_task.yaml"  # names the folder that it is in
    assert ours.pop(lm_eval) == theirs.pop(lm_eval).replace(f"{here}/".encode(), b"")
    assert ours == theirs

    for kind in ("knowledge", "skills"):
        stored = read_dataset(run.artifact("postprocess", f"{kind}_train")).table
        mix = here / f"{kind}_train_msgs_{SUFFIX}.jsonl"
        assert stored.num_rows > 0
        assert fingerprint(stored) == fingerprint(read_rows(mix))
    for kind, block in LAST_BLOCKS[pipelines].items():
        stored = read_dataset(run.artifact(block, "output_rows"))
        result = read_run(here / f"run_{SUFFIX}" / kind)
        assert fingerprint(stored.table) == fingerprint(result.rows)
        assert [e.groups for e in stored.manifest.history] == [e.groups for e in result.history]


def test_kinds_without_leaves_are_skipped_and_their_blocks_never_run(
    skills: Path, tmp_path: Path
) -> None:
    with StubTeacher() as stub:
        run = run_workflow(
            "simple",
            tmp_path / "run",
            taxonomy_repo=str(skills),
            teacher_url=stub.url,
            num_instructions_to_generate=1,
        )
    assert run.succeeded, run.log
    skipped = {task for task in run.tasks if task.startswith("no-rows")}
    assert len(skipped) == 3
    done = run.tasks - skipped
    assert done == {"preprocess", "gen-skill-freeform", "postprocess", "check-leaves"}
    files = contents(run.artifact("postprocess", "training_data"))
    assert f"skills_train_msgs_{SUFFIX}.jsonl" in files
    assert f"knowledge_train_msgs_{SUFFIX}.jsonl" not in files
    assert read_dataset(run.artifact("postprocess", "knowledge_train")).table.num_rows == 0


def test_a_broken_leaf_fails_the_first_task_with_its_problems_and_nothing_is_asked(
    skills: Path, tmp_path: Path
) -> None:
    write_leaf(skills, "compositional_skills/four", skill(4))
    with StubTeacher() as stub:
        run = run_workflow(
            "simple", tmp_path / "run", taxonomy_repo=str(skills), teacher_url=stub.url
        )
        assert stub.calls == []
    assert not run.succeeded
    assert run.tasks == {"preprocess"}
    assert f"error: {skills}/compositional_skills/four/qna.yaml:4:" in run.log


def test_leaves_that_give_nothing_fail_the_last_task_once_the_training_data_is_there(
    skills: Path, tmp_path: Path
) -> None:
    mute = skill().replace("Write a haiku.", "Keep silent.")
    write_leaf(skills, "compositional_skills/mute", mute)

    def says_nothing_to_the_mute(ask: Ask) -> str:
        return "" if "Keep silent." in ask.prompt else answer(ask)

    with StubTeacher(answer=says_nothing_to_the_mute) as stub:
        run = run_workflow(
            "simple",
            tmp_path / "run",
            taxonomy_repo=str(skills),
            teacher_url=stub.url,
            num_instructions_to_generate=1,
            max_rejected="100%",
        )
    assert not run.succeeded
    assert "error: nothing came of 1 of 2 leaves:" in run.log
    assert "error:   compositional_skills_mute: 5 seed rows; 5 rejected at gen_skill" in run.log
    report = run.artifact("postprocess", "report").read_text(encoding="utf-8")
    assert "## Leaves that nothing came of" in report
    outputs = run.artifact("postprocess", "executor_output.json").read_text(encoding="utf-8")
    assert "skills_train" in outputs  # it ended well, so that KFP keeps what it wrote
    assert read_dataset(run.artifact("postprocess", "skills_train")).table.num_rows > 0
