"""Rows of all leaves through the pipelines of their kinds, and what each leaf gave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.blocks import Block, BlockRegistry, PipelineContext
from kfp_sdg.engine import Observer
from kfp_sdg.errors import BlockError, TeacherError
from kfp_sdg.instructlab.generate import (
    EVALUATION,
    Generated,
    Stopped,
    generate_rows,
    write_generated,
)
from kfp_sdg.instructlab.leaf_books import LeafBooks
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.outcome import EmptyLeafError, Loss, empty_leaves, leaf_outcomes
from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline, find_pipelines
from kfp_sdg.instructlab.preprocess import Preprocessed, preprocess
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import Request, TeacherOptions, TeacherPool, connect
from kfp_sdg.teacher.journal import open_journal
from scripted_teacher import ScriptedTeacher, pipeline
from stub_teacher import StubTeacher
from taxonomy_leaves import knowledge, skill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa
    from datasets import Dataset

LEAVES = (
    knowledge("birds"),
    knowledge("cats", pairs_each=4),
    skill("rhymes", [None, None]),
    skill("letters", ["Dear Ann.", "Dear Bob."]),
    skill("mixed", [None, "Dear Eve."]),
)
CHUNKS = {"knowledge_birds": ["Birds fly.", "Birds sing."], "knowledge_cats": ["Cats sleep."]}

ASK = {"generation": "{{ leaf_node_path }}", "start_tags": ["[A]"], "end_tags": ["[/A]"]}


def seeds(**scale_factors: int) -> Preprocessed:
    return preprocess(LEAVES, CHUNKS, scale_factors=scale_factors)


def tables(given: Preprocessed) -> dict[LeafKind, pa.Table]:
    return {kind: given.table(kind) for kind in given.kinds}


def asking(*more: BlockSpec, config: dict[str, Any] = ASK, **settings: Any) -> PipelineSpec:
    """A pipeline whose first block asks about every row."""
    block = {"config_path": "ask.yaml", "output_cols": ["question"], **settings}
    spec = pipeline(ask=config)
    return PipelineSpec((BlockSpec("ask", "LLMBlock", block), *more), spec.files)


ASKING = dict.fromkeys(LeafKind, asking())


def generated(teacher: Any, given: Preprocessed | None = None, **arguments: Any) -> Generated:
    arguments = {"pipelines": ASKING, **arguments}
    with TeacherPool(teacher) as teachers:
        context = PipelineContext(
            teachers, "blank", num_instructions_to_generate=2, max_rejected="100%"
        )
        return generate_rows(tables(given or seeds()), context=context, **arguments)


def echo() -> ScriptedTeacher:
    return ScriptedTeacher(
        lambda request: [f"[A]{request.prompt} {i}[/A]" for i in range(request.n)]
    )


def test_every_leaf_gets_the_rows_of_all_its_kinds() -> None:
    result = generated(echo())
    assert result.leaves == tuple(sorted(leaf.name for leaf in LEAVES))
    assert {name: table.num_rows for name, table in result.leaf_tables().items()} == {
        "compositional_skills_letters": 2,
        "compositional_skills_mixed": 2,
        "compositional_skills_rhymes": 2,
        "knowledge_birds": 4,
        "knowledge_cats": 2,
    }
    mixed = result.leaf_rows("compositional_skills_mixed").to_pylist()
    assert [(row["leaf_node_type"], row["seed_context"]) for row in mixed] == [
        ("freeform_skill", None),
        ("grounded_skill", "Dear Eve."),
    ]


def test_a_leafs_rows_have_instructlabs_columns_and_none_that_only_helped() -> None:
    result = generated(echo(), seeds(knowledge_birds=3, compositional_skills_rhymes=1))
    birds = result.leaf_rows("knowledge_birds")
    assert birds.column_names == [
        "document",
        "icl_document",
        "document_outline",
        "domain",
        "leaf_node_type",
        "leaf_node_path",
        *(f"icl_{part}_{n}" for n in (1, 2, 3) for part in ("query", "response")),
        "question",
    ]
    cats = set(result.leaf_rows("knowledge_cats").column_names)
    assert cats - set(birds.column_names) == {"icl_query_4", "icl_response_4"}
    assert result.leaf_rows("compositional_skills_rhymes").column_names == [
        "task_description",
        "seed_question",
        "seed_response",
        "leaf_node_type",
        "leaf_node_path",
        "question",
    ]


def test_a_leafs_own_scale_factor_is_obeyed() -> None:
    spec = asking(gen_kwargs={"n": "scaled", "temperature": 1})
    result = generated(
        echo(),
        seeds(knowledge_birds=3),
        pipelines=dict.fromkeys(LeafKind, spec),
    )
    assert result.leaf_rows("knowledge_birds").num_rows == 4 * 3
    assert result.leaf_rows("knowledge_cats").num_rows == 2 * 2


def test_files_are_named_after_leaves_and_replace_older_ones(tmp_path: Path) -> None:
    result = generated(echo())
    (tmp_path / "old.jsonl").write_text("{}")
    files = write_generated(result, tmp_path)
    assert sorted(tmp_path.iterdir()) == files
    assert [file.stem for file in files] == list(result.leaves)
    for file in files:
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert rows == result.leaf_rows(file.stem).to_pylist()


def test_what_cannot_work_in_the_last_pipeline_is_found_before_the_first_token() -> None:
    teacher = echo()
    broken = asking(config={**ASK, "generation": "{{ nowhere }}"})
    for kinds in ({**ASKING, LeafKind.GROUNDED: broken}, ASKING):
        evaluation = broken if kinds is ASKING else None
        with pytest.raises(BlockError, match="nowhere") as caught:
            generated(teacher, pipelines=kinds, evaluation=evaluation)
        assert caught.value.exit_code == 2
    assert teacher.requests == []


def test_a_pipeline_that_drops_the_leaf_is_refused_before_the_first_token() -> None:
    teacher = echo()
    config = {"columns_map": {"leaf_node_path": "leaf"}}
    spec = asking(BlockSpec("forget", "RenameColumnsBlock", config))
    with pytest.raises(BlockError, match=r"'forget'.*no column 'leaf_node_path'"):
        generated(teacher, pipelines={**ASKING, LeafKind.GROUNDED: spec})
    assert teacher.requests == []


class Forgetful(Block):
    """A block that keeps one column."""

    def generate(self, samples: Dataset) -> Dataset:
        return samples.select_columns(["question"])


@pytest.fixture
def forgetful() -> Iterator[None]:
    BlockRegistry.register("Forgetful")(Forgetful)
    yield
    del BlockRegistry.get_registry()["Forgetful"]


@pytest.mark.usefixtures("forgetful")
def test_a_custom_block_that_loses_the_leaf_is_named() -> None:
    spec = asking(BlockSpec("forget", "Forgetful", {}))
    with pytest.raises(BlockError, match=r"'forget'.*no column 'leaf_node_path'"):
        generated(echo(), pipelines=dict.fromkeys(LeafKind, spec))


class Notes(Observer):
    def __init__(self) -> None:
        self.blocks: list[Any] = []

    def block_started(self, index: int, total: int, name: str, *rest: Any) -> None:
        self.blocks.append((index, total, name))


def test_who_watches_sees_the_blocks_of_all_pipelines_as_those_of_one() -> None:
    notes, parts = Notes(), []
    evaluation = asking()
    result = generated(
        echo(),
        evaluation=evaluation,
        observer=notes,
        on_part=lambda part: parts.append((part.name, part.rows.num_rows)),
    )
    assert notes.blocks == [(1, 4, "ask"), (2, 4, "ask"), (3, 4, "ask"), (4, 4, "ask")]
    assert parts == [
        ("knowledge", 6),
        ("freeform_skill", 3),
        ("grounded_skill", 3),
        (EVALUATION, 6),
    ]
    questions = result.evaluation_tables()
    assert {name: table.num_rows for name, table in questions.items()} == {
        "knowledge_birds": 4,
        "knowledge_cats": 2,
    }
    assert set(questions["knowledge_birds"]["leaf_node_path"].to_pylist()) == {"knowledge_birds"}


def test_blocks_of_the_same_name_in_two_pipelines_keep_answers_of_their_own(
    tmp_path: Path,
) -> None:
    same = {**ASK, "generation": "say it"}
    kinds = dict.fromkeys(LeafKind, asking(config=same))

    def answers() -> dict[str, list[str]]:
        with (
            StubTeacher(count_repeats=True) as stub,
            open_journal(tmp_path / "journal") as journal,
            connect(TeacherOptions(url=stub.url), journal=journal) as teachers,
        ):
            context = PipelineContext(teachers, "blank")
            result = generate_rows(tables(seeds()), kinds, context)
        asked.append(len(stub.requests))
        return {n: t["question"].to_pylist() for n, t in result.leaf_tables().items()}

    asked: list[int] = []
    first = answers()
    assert asked == [12]
    assert answers() == first
    assert asked == [12, 0]


def test_a_generation_that_stops_hands_over_what_was_finished() -> None:
    def reply(request: Request) -> list[str]:
        if "letters" in str(request.prompt):
            raise TeacherError("the model is gone", fatal=True)
        return [f"[A]{request.prompt}[/A]"]

    left: list[Stopped] = []
    with pytest.raises(TeacherError, match="the model is gone"):
        generated(ScriptedTeacher(reply), on_stop=left.append)
    [stopped] = left
    assert set(stopped.finished.results) == {LeafKind.KNOWLEDGE, LeafKind.FREEFORM}
    assert stopped.finished.leaf_rows("knowledge_birds").num_rows == 4
    assert stopped.finished.leaf_rows("compositional_skills_letters").num_rows == 0
    assert stopped.part == LeafKind.GROUNDED
    assert stopped.partial is not None


def judged(request: Request) -> list[str]:
    """Answers about cats do not parse; those about rhymes are all the same."""
    prompt = str(request.prompt)
    if "cats" in prompt:
        return ["no tags"]
    return ["[A]same[/A]" if "rhymes" in prompt else f"[A]{prompt}[/A]"]


def test_a_leaf_of_which_nothing_came_says_why() -> None:
    config = {"filter_column": "question", "filter_value": "same", "operation": "ne"}
    spec = asking(BlockSpec("judge", "FilterByValueBlock", config))
    result = generated(ScriptedTeacher(judged), pipelines=dict.fromkeys(LeafKind, spec))
    outcomes = {outcome.leaf: outcome for outcome in leaf_outcomes(result)}
    assert outcomes["knowledge_cats"].losses == (Loss("ask", "parse", 2, LeafKind.KNOWLEDGE),)
    assert outcomes["compositional_skills_rhymes"].losses == (
        Loss("judge", "filtered", 2, LeafKind.FREEFORM),
    )
    assert not outcomes["knowledge_birds"].is_empty
    error = EmptyLeafError(tuple(outcomes.values()))
    assert str(error) == (
        "nothing came of 2 of 5 leaves:\n"
        "  compositional_skills_rhymes: 2 seed rows; 2 filtered at judge\n"
        "  knowledge_cats: 2 seed rows; 2 rejected at ask (parse)\n"
        "Other seed examples, a larger scale factor or another teacher may help; allow_empty "
        "accepts it"
    )
    assert error.exit_code == 1
    assert empty_leaves(error.outcomes, most=1).endswith("filtered at judge\n  … and 1 more")
    assert empty_leaves([outcomes["knowledge_birds"]]) == ""


def test_the_losses_of_all_leaves_are_the_losses_of_the_blocks() -> None:
    unique = BlockSpec(
        "ask",
        "LLMBlock",
        {"config_path": "ask.yaml", "output_cols": ["question"]},
        drop_duplicates=("question",),
    )
    spec = PipelineSpec((unique,), asking().files)
    result = generated(ScriptedTeacher(judged), pipelines=dict.fromkeys(LeafKind, spec))
    outcomes = leaf_outcomes(result)
    for kind, run in result.results.items():
        entry = run.history[-1]
        lost = [loss for outcome in outcomes for loss in outcome.losses if loss.kind is kind]
        assert sum(x.rows for x in lost if x.reason == "duplicates") == entry.duplicates
        assert sum(x.rows for x in lost if x.reason == "parse") == entry.rejected
    assert sum(o.generated for o in outcomes) == sum(
        r.rows.num_rows for r in result.results.values()
    )


def test_a_leaf_whose_rows_cannot_be_used_for_training_is_empty_too() -> None:
    result = generated(echo())
    training = [
        LeafBooks(name, table.num_rows, table.num_rows, {}, ())
        for name, table in result.leaf_tables().items()
        if name != "knowledge_cats"
    ]
    outcomes = leaf_outcomes(result, training, [LeafBooks("knowledge_birds", 4, 3, {}, ())])
    assert [o.leaf for o in outcomes if o.is_empty] == ["knowledge_cats"]
    assert {o.leaf: o.questions for o in outcomes if o.questions is not None} == {
        "knowledge_birds": 3
    }


@pytest.mark.parametrize("name", ["simple", "full", "llama"])
def test_the_sets_that_ship_generate_for_every_kind(name: str) -> None:
    with (
        StubTeacher() as stub,
        connect(TeacherOptions(url=stub.url)) as teachers,
    ):
        context = PipelineContext(teachers, "blank", num_instructions_to_generate=30)
        given = seeds()
        result = generate_rows(
            tables(given),
            find_pipelines(name).all_of(given.kinds),
            context,
            evaluation=evaluation_pipeline(),
        )
    for kind, run in result.results.items():
        assert run.rows.num_rows, kind
        for entry in run.history:
            groups = entry.groups.values()
            assert sum(g.rows_in for g in groups) == entry.rows_in
            assert sum(g.rows_out for g in groups) == entry.rows_out
    assert sum(table.num_rows for table in result.leaf_tables().values()) == sum(
        run.rows.num_rows for run in result.results.values()
    )
