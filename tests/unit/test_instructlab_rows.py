"""Rows of leaves: nothing that a contributor wrote is lost, and nothing is made up."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.instructlab.model import (
    DocumentSource,
    Leaf,
    LeafKind,
    QuestionAnswer,
    SeedExample,
)
from kfp_sdg.instructlab.rows import columns_of, leaf_rows, seed_rows

REPO = DocumentSource("https://git.example/comets", "abcdef0", ("*.md",))
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
pairs = st.builds(QuestionAnswer, texts, texts)


def skill(*examples: SeedExample) -> Leaf:
    return Leaf("compositional_skills/haiku", "qna.yaml", 3, examples, task_description="Write.")


def knowledge(*examples: SeedExample) -> Leaf:
    return Leaf(
        "knowledge/comets", "qna.yaml", 3, examples, domain="astronomy",
        document_outline="What comets are.", documents=REPO,
    )  # fmt: skip


def example(*answers: str, context: str | None = None) -> SeedExample:
    return SeedExample(tuple(QuestionAnswer(f"{a}?", a) for a in answers), context)


def test_a_freeform_skill_has_a_row_for_each_seed_example():
    rows = leaf_rows(skill(example("a"), example("b")))

    assert rows.to_pylist()[1] == {
        "task_description": "Write.",
        "seed_question": "b?",
        "seed_response": "b",
        "leaf_node_type": "freeform_skill",
        "leaf_node_path": "compositional_skills_haiku",
    }
    assert rows.column_names == list(columns_of(LeafKind.FREEFORM))
    assert rows.num_rows == 2


def test_each_row_of_a_mixed_skill_has_its_own_context_and_its_own_kind():
    rows = leaf_rows(skill(example("a"), example("b", context="B"), example("c")))

    assert rows["seed_context"].to_pylist() == [None, "B", None]
    assert rows["leaf_node_type"].to_pylist() == [
        "freeform_skill", "grounded_skill", "freeform_skill",
    ]  # fmt: skip
    assert rows.column_names == list(columns_of(LeafKind.GROUNDED))


def test_a_knowledge_row_holds_a_chunk_and_one_seed_example_with_its_pairs():
    rows = leaf_rows(knowledge(example("a", "b", "c", context="C")), ["A comet is ice."])

    assert rows.to_pylist() == [
        {
            "document": "A comet is ice.",
            "icl_document": "C",
            "document_outline": "What comets are.",
            "domain": "astronomy",
            "leaf_node_type": "knowledge",
            "leaf_node_path": "knowledge_comets",
            **{f"icl_query_{k}": f"{a}?" for k, a in enumerate("abc", 1)},
            **{f"icl_response_{k}": a for k, a in enumerate("abc", 1)},
        }
    ]


def test_chunks_come_in_their_order_with_the_examples_of_each_side_by_side():
    rows = leaf_rows(knowledge(example("a", context="A"), example("b", context="B")), ["1", "2"])

    assert rows["document"].to_pylist() == ["1", "1", "2", "2"]
    assert rows["icl_document"].to_pylist() == ["A", "B", "A", "B"]


def test_pairs_that_an_example_does_not_have_are_null_and_there_are_columns_for_three():
    rows = leaf_rows(knowledge(example("a", context="A")), ["1"])

    assert rows.column_names == list(columns_of(LeafKind.KNOWLEDGE, 3))
    assert rows.to_pylist()[0]["icl_query_3"] is None
    assert all(str(field.type) == "string" for field in rows.schema)


def test_the_columns_are_those_of_the_example_with_the_most_pairs():
    leaf = knowledge(example("a", context="A"), example(*"abcde", context="B"))

    rows = leaf_rows(leaf, ["1"]).to_pylist()

    assert [row["icl_response_5"] for row in rows] == [None, "e"]


@settings(deadline=None)
@given(
    chunks=st.lists(texts, max_size=4),
    examples=st.lists(st.lists(pairs, min_size=1, max_size=6), min_size=1, max_size=6),
)
def test_every_pair_of_every_example_meets_every_chunk_once(chunks, examples):
    leaf = knowledge(*(SeedExample(tuple(some), f"context {k}") for k, some in enumerate(examples)))

    rows = leaf_rows(leaf, chunks)

    assert rows.num_rows == len(chunks) * len(examples)
    met = Counter(
        (row["document"], row["icl_document"], row[f"icl_query_{k}"], row[f"icl_response_{k}"])
        for row in rows.to_pylist()
        for k in range(1, (rows.num_columns - 6) // 2 + 1)
        if row[f"icl_query_{k}"] is not None
    )
    assert met == Counter(
        (chunk, f"context {k}", pair.question, pair.answer)
        for chunk in chunks
        for k, some in enumerate(examples)
        for pair in some
    )


@settings(deadline=None)
@given(st.lists(st.tuples(pairs, st.none() | texts), min_size=1, max_size=8))
def test_a_row_of_a_skill_is_grounded_where_its_example_has_a_context(examples):
    leaf = skill(*(SeedExample((pair,), context) for pair, context in examples))

    rows = leaf_rows(leaf).to_pylist()

    assert [
        (row["seed_question"], row["seed_response"], row.get("seed_context")) for row in rows
    ] == [(pair.question, pair.answer, context) for pair, context in examples]
    assert [row["leaf_node_type"] == "grounded_skill" for row in rows] == [
        context is not None for _, context in examples
    ]


def test_test_rows_ask_below_the_question_about_the_context_that_it_is_about():
    leaves = [
        skill(example("a"), example("b", context="B")),
        knowledge(example("c", "d", context="C")),
    ]

    rows = seed_rows(leaves, "You teach.").to_pylist()

    assert [row["user"] for row in rows] == ["a?", "b?\nB", "c?\nC", "d?\nC"]
    assert [row["assistant"] for row in rows] == ["a", "b", "c", "d"]
    assert {row["system"] for row in rows} == {"You teach."}


def test_without_a_system_prompt_test_rows_have_no_such_column():
    assert seed_rows([skill(example("a"))]).column_names == ["user", "assistant"]
