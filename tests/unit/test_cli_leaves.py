"""What is shown of a taxonomy: a line for each leaf, the sums, and where everything is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from kfp_sdg.cli.leaves import part_phrase, show_result
from kfp_sdg.engine import RunResult
from kfp_sdg.instructlab.generate import EVALUATION, Generated, Part
from kfp_sdg.instructlab.mixing import Mixed, MixedDataset
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.outcome import LeafOutcome, Loss
from kfp_sdg.instructlab.run_folder import RunFolder
from kfp_sdg.instructlab.workflow import WorkflowResult
from kfp_sdg.spec import PipelineSpec
from kfp_sdg.storage import HistoryEntry
from screens import Screen

BIRDS = "knowledge_science_animals_birds_black_capped_chickadee"
RHYMES = "compositional_skills_writing_freeform_poetry_rhymes"
HISTORY = (
    HistoryEntry("ask", "LLMBlock", 5, 9, requests=5, prompt_tokens=1200, completion_tokens=3400),
    HistoryEntry("judge", "LLMBlock", 9, 9, requests=4, journal_hits=3),
)
OUTCOMES = (
    LeafOutcome(
        RHYMES,
        (LeafKind.FREEFORM,),
        5,
        0,
        (Loss("judge", "filtered", 3), Loss("ask", "parse", 2), Loss("ask", "duplicates", 1)),
        used=0,
    ),
    LeafOutcome(BIRDS, (LeafKind.KNOWLEDGE,), 1250, 3000, (), used=2990, questions=40),
)


def result(folder: Path, *outcomes: LeafOutcome, mixes: tuple[str, ...] = ()) -> WorkflowResult:
    generated = Generated({}, {LeafKind.KNOWLEDGE: RunResult(pa.table({}), history=HISTORY)})
    made = {
        name: Mixed(
            folder / f"{name}_train_msgs_one.jsonl",
            (MixedDataset("a", folder / "a", 1.0, 7, 0, 7),),
        )
        for name in mixes
    }
    return WorkflowResult(RunFolder(folder, "one"), outcomes, generated, made)


def shown(made: WorkflowResult, width: int = 100) -> str:
    screen = Screen(width)
    show_result(screen.console, made, seconds=75)
    return screen.text


@pytest.mark.parametrize("width", [80, 120])
def test_every_leaf_has_a_line_that_fits_and_the_last_line_has_the_sums(width: int) -> None:
    text = shown(result(Path("out"), *OUTCOMES), width)
    table = text[: text.index("requests")].splitlines()
    assert max(map(len, table)) <= width
    joined = "".join("".join(line.split()[:1]) for line in table if line.strip())
    assert RHYMES in joined
    assert BIRDS in joined
    assert "2 leaves" in text
    assert "1,255" in text


def test_what_it_took_is_said_in_one_line() -> None:
    text = shown(result(Path("out"), *OUTCOMES))
    assert (
        "9 requests, 3 answers from the checkpoint, 1200 tokens read, 3400 written, "
        "in 1 min 15 s." in text
    )


def test_the_training_data_comes_with_the_command_that_trains() -> None:
    text = shown(result(Path("out"), *OUTCOMES, mixes=("knowledge", "skills")))
    assert (
        "ilab model train --strategy lab-multiphase "
        "--phased-phase1-data out/knowledge_train_msgs_one.jsonl "
        "--phased-phase2-data out/skills_train_msgs_one.jsonl"
    ) in text
    assert "lm_eval --include_path out/node_datasets_one --tasks mmlu_pr" in text
    one = shown(result(Path("out"), *OUTCOMES, mixes=("skills",)))
    assert "ilab model train --data-path out/skills_train_msgs_one.jsonl\n" in one
    assert "ilab" not in shown(result(Path("out"), OUTCOMES[0]))


@pytest.mark.parametrize("kinds", [("knowledge", "skills"), ("skills",)])
def test_the_commands_can_be_pasted_whatever_the_folder_is_called(kinds: tuple[str, ...]) -> None:
    text = shown(result(Path("my out"), *OUTCOMES, mixes=kinds))
    assert "lm_eval --include_path 'my out/node_datasets_one' " in text
    for kind in kinds:
        assert f"'my out/{kind}_train_msgs_one.jsonl'" in text


def test_rejected_rows_are_shown_where_there_are_any(tmp_path: Path) -> None:
    assert "\nrejected " not in shown(result(tmp_path, OUTCOMES[1]), 300)
    (tmp_path / "run_one" / "knowledge" / "rejected").mkdir(parents=True)
    (tmp_path / "run_one" / "rejected_for_training.jsonl").touch()
    text = shown(result(tmp_path, OUTCOMES[1]), 300)
    assert f"rejected  {tmp_path}/run_one/knowledge/rejected" in text
    assert f"{tmp_path}/run_one/rejected_for_training.jsonl" in text


@pytest.mark.parametrize("name", [*LeafKind, EVALUATION])
def test_every_part_is_announced_with_its_rows(name: str) -> None:
    part = Part(str(name), PipelineSpec(()), pa.table({"a": [1, 2]}))
    assert part_phrase(part).endswith(": 2 rows to generate from.")
