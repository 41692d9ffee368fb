"""The InstructLab workflow as KFP runs it on this machine, against one process."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.instructlab.documents import load_all
from kfp_sdg.instructlab.generate import Generated, generate_rows
from kfp_sdg.instructlab.mixing import TrainingSettings
from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline, find_pipelines
from kfp_sdg.instructlab.postprocess import write_test_file
from kfp_sdg.instructlab.preprocess import preprocess, write_preprocessed
from kfp_sdg.instructlab.results import Results, write_results
from kfp_sdg.instructlab.rows import seed_rows
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from kfp_sdg.storage import fingerprint, read_dataset, read_rows
from kfp_sdg.teacher import TeacherOptions, connect
from stub_teacher import StubTeacher
from taxonomies import skill, write_leaf
from workflows import SHARED_TAXONOMY, SUFFIX, answer, contents, run_workflow, taxonomy_in

if TYPE_CHECKING:
    from pathlib import Path

    from stub_answers import Ask

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED_TAXONOMY.exists(), reason="needs ../shared"),
]
INSTRUCTIONS = 2
SCALE = {"knowledge/*": 1}
CHICKADEE = "knowledge_science_animals_birds_black_capped_chickadee"
CHUNK_WORDS = 45  # two pieces of the document


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    return taxonomy_in(tmp_path)


def in_one_process(
    pipelines: str, taxonomy: Path, output: Path, url: str
) -> tuple[Generated, Results]:
    """Do all that the workflow does, without KFP."""
    found = find_pipelines(pipelines)
    leaves = read_taxonomy(taxonomy)
    chunks = load_all(
        leaves,
        taxonomy_folder=taxonomy,
        cache=output.parent / "cache",
        chunk_word_count=CHUNK_WORDS,
    )
    rows = preprocess(leaves, chunks, scale_factors=SCALE)
    write_preprocessed(rows, output / f"preprocessed_{SUFFIX}")
    with connect(TeacherOptions(url=url)) as teachers:
        context = PipelineContext(teachers=teachers, num_instructions_to_generate=INSTRUCTIONS)
        generated = generate_rows(
            {kind: rows.table(kind) for kind in rows.kinds},
            found.all_of(rows.kinds),
            context,
            evaluation=evaluation_pipeline(),
        )
    settings = TrainingSettings(auxiliary_instructions=found.auxiliary_instructions)
    write_test_file(seed_rows(leaves, settings.system_prompt), output, SUFFIX)
    results = write_results(
        generated, output, SUFFIX, settings, data_folder=f"node_datasets_{SUFFIX}"
    )
    return generated, results


@pytest.mark.parametrize("pipelines", ["simple", "full"])
def test_a_taxonomy_gives_the_same_rows_and_files_on_kfp_as_in_one_process(
    pipelines: str, taxonomy: Path, tmp_path: Path
) -> None:
    with StubTeacher(answer=answer) as stub:
        generated, results = in_one_process(pipelines, taxonomy, tmp_path / "here", stub.url)
        run = run_workflow(
            pipelines,
            tmp_path / "run",
            taxonomy_repo=str(taxonomy),
            taxonomy_branch="main",
            chunk_word_count=CHUNK_WORDS,
            scale_factors=json.dumps(SCALE),
            teacher_url=stub.url,
            num_instructions_to_generate=INSTRUCTIONS,
            allow_empty=True,
        )
    assert run.succeeded, run.log
    assert all(result.rows.num_rows for result in generated.results.values())
    assert len(results.mixes) == 2
    assert not {task for task in run.tasks if task.startswith("no-rows")}

    ours = contents(run.artifact("postprocess", "training_data"))
    theirs = contents(tmp_path / "here")
    assert ours.keys() == theirs.keys()
    assert f"node_datasets_{SUFFIX}/{CHICKADEE}_task.yaml" in theirs
    assert ours == theirs
    for kind, mix in results.mixes.items():
        stored = read_dataset(run.artifact("postprocess", f"{kind}_train")).table
        assert fingerprint(stored) == fingerprint(read_rows(mix.output))
    report = run.artifact("postprocess", "report").read_text(encoding="utf-8")
    assert all(leaf.leaf.replace("_", r"\_") in report for leaf in results.leaves)


def test_kinds_without_leaves_are_skipped_and_their_blocks_never_run(
    taxonomy: Path, tmp_path: Path
) -> None:
    shutil.rmtree(taxonomy / "knowledge")
    shutil.rmtree(taxonomy / "compositional_skills" / "grounded")
    with StubTeacher() as stub:
        run = run_workflow(
            "simple",
            tmp_path / "run",
            taxonomy_repo=str(taxonomy),
            teacher_url=stub.url,
            num_instructions_to_generate=1,
        )
    assert run.succeeded, run.log
    skipped = {task for task in run.tasks if task.startswith("no-rows")}
    assert len(skipped) == 3
    assert run.tasks - skipped == {"preprocess", "gen-skill-freeform", "postprocess"}
    files = contents(run.artifact("postprocess", "training_data"))
    assert f"skills_train_msgs_{SUFFIX}.jsonl" in files
    assert f"knowledge_train_msgs_{SUFFIX}.jsonl" not in files
    assert read_dataset(run.artifact("postprocess", "knowledge_train")).table.num_rows == 0


def test_a_broken_leaf_fails_the_first_task_with_its_problems_and_nothing_is_asked(
    taxonomy: Path, tmp_path: Path
) -> None:
    write_leaf(taxonomy, "compositional_skills/four", skill(4))
    with StubTeacher() as stub:
        run = run_workflow(
            "simple", tmp_path / "run", taxonomy_repo=str(taxonomy), teacher_url=stub.url
        )
        assert stub.calls == []
    assert not run.succeeded
    assert run.tasks == {"preprocess"}
    assert f"error: {taxonomy}/compositional_skills/four/qna.yaml:4:" in run.log


def test_leaves_that_give_nothing_fail_the_last_task_with_the_reasons(
    taxonomy: Path, tmp_path: Path
) -> None:
    shutil.rmtree(taxonomy / "knowledge")
    shutil.rmtree(taxonomy / "compositional_skills" / "grounded")
    mute = write_leaf(taxonomy, "compositional_skills/mute", skill())

    def says_nothing_to_the_mute(ask: Ask) -> str:
        return "" if "haiku" in ask.prompt else answer(ask)

    with StubTeacher(answer=says_nothing_to_the_mute) as stub:
        run = run_workflow(
            "simple",
            tmp_path / "run",
            taxonomy_repo=str(taxonomy),
            teacher_url=stub.url,
            num_instructions_to_generate=1,
            max_rejected="100%",
        )
    assert mute.exists()
    assert not run.succeeded
    assert "error: nothing came of 1 of 2 leaves:" in run.log
    assert "error:   compositional_skills_mute: 5 seed rows; 5 rejected at gen_skill" in run.log
    report = run.artifact("postprocess", "report").read_text(encoding="utf-8")
    assert "## Leaves that nothing came of" in report
