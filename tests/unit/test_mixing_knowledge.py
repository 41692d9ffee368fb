"""Knowledge in two phases: documents to read, and questions among several documents (RAFT)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.instructlab.mixing.knowledge import DOCUMENTS, KnowledgeRows
from kfp_sdg.instructlab.mixing.pairs import Pair, pair_of
from training_files import BIRDS, knowledge, rewritten

INSTRUCTIONS = {"spellcheck": ("Mend it.", "Proofread it."), "summary": ("Sum it up.",)}
RAFT = "document_knowledge_qa_raft_p0.4"


def pairs(rows: list[dict[str, Any]]) -> list[Pair]:
    found = [pair_of(row) for row in rows]
    assert all(isinstance(pair, Pair) for pair in found)
    return found  # type: ignore[return-value]  # checked above


def phases(rows: list[dict[str, Any]], seed: int = 1) -> tuple[list[Any], list[Any]]:
    made = KnowledgeRows(BIRDS, pairs(rows), INSTRUCTIONS, seed)
    return list(made.phase_07()), list(made.phase_10())


def user(row: dict[str, Any]) -> str:
    return str(row["messages"][0]["content"])


def dataset(row: dict[str, Any]) -> str:
    return str(json.loads(row["metadata"])["dataset"])


def raft(rows: list[dict[str, Any]], seed: int = 1) -> list[tuple[list[str], str]]:
    """Return the documents and the question of each row of phase 1.0 that has several."""
    found = []
    for row in phases(rows, seed)[1]:
        if dataset(row) == RAFT:
            texts, question = user(row).split("\n\n\n\n")
            documents = [text.removeprefix("Document:\n") for text in texts.split("\n\n\n")]
            found.append((documents, question))
    return found


def test_phase_07_is_each_question_after_its_document_then_each_rewriting() -> None:
    rows = [
        rewritten(0, "spellcheck"),
        rewritten(0, "spellcheck", 1),
        rewritten(0, "base_document"),
    ]
    found = phases(rows)[0]
    assert [list(row) for row in found] == [["messages", "metadata", "id", "unmask"]] * 4
    assert [dataset(row) for row in found] == ["document_knowledge_qa"] * 3 + [
        "document_spellcheck"
    ]
    assert [row["unmask"] for row in found] == [True] * 4
    assert found[0]["messages"] == [
        {"role": "user", "content": "Chunk 0, as spellcheck.\n\nWhat does chunk 0 say, 0?"},
        {"role": "assistant", "content": "Answer 0 of chunk 0."},
    ]
    assert json.loads(found[0]["metadata"]) == {
        "sdg_document": "Chunk 0, as spellcheck.",
        "domain": "zoology",
        "dataset": "document_knowledge_qa",
        "raw_document": "Chunk 0 is about birds.",
        "dataset_type": "spellcheck",
    }
    asked, answered = (message["content"] for message in found[3]["messages"])
    assert asked in [f"Chunk 0 is about birds.\n\n{text}" for text in INSTRUCTIONS["spellcheck"]]
    assert answered == "Chunk 0, as spellcheck."
    assert json.loads(found[3]["metadata"]) == {
        "dataset_type": "spellcheck",
        "raw_document": "Chunk 0 is about birds.",
        "dataset": "document_spellcheck",
        "domain": "zoology",
    }


def test_phase_10_is_questions_among_documents_then_phase_07_then_rewritings() -> None:
    rows = [rewritten(0, "spellcheck"), rewritten(1, "base_document")]
    first, found = phases(rows)
    names = [RAFT] * 2 + ["document_knowledge_qa"] * 2 + ["document_spellcheck"]
    assert [dataset(row) for row in found] == names
    assert [row["unmask"] for row in found] == [False, False, True, True, False]
    assert [row["messages"] for row in found[2:4]] == [row["messages"] for row in first[:2]]


def test_no_two_rows_of_a_leaf_have_the_same_id() -> None:
    both = phases([rewritten(c, "spellcheck", q) for c in range(3) for q in range(2)])
    ids = [row["id"] for rows in both for row in rows]
    assert len(set(ids)) == len(ids)


def test_rows_of_a_pipeline_that_rewrites_nothing_say_nothing_of_it() -> None:
    (row,) = phases([knowledge(0)])[0]
    assert list(json.loads(row["metadata"])) == ["sdg_document", "domain", "dataset"]


def test_a_rewriting_without_instructions_is_not_asked_for() -> None:
    rows = [rewritten(0, "outline"), rewritten(1, "summary"), rewritten(2, "summary")]
    assert [dataset(row) for row in phases(rows)[0][3:]] == ["document_summary"] * 2


def test_an_original_is_no_rewriting_even_if_there_are_instructions_for_it() -> None:
    made = KnowledgeRows(BIRDS, pairs([rewritten(0, "base_document")]), {"base_document": "x"}, 1)
    assert [dataset(row) for row in made.phase_07()] == ["document_knowledge_qa"]


def test_instructions_are_chosen_by_chance_for_each_document() -> None:
    rows = [rewritten(chunk, "spellcheck") for chunk in range(40)]
    asked = [user(row).rsplit("\n\n", 1)[1] for row in phases(rows)[0][40:]]
    assert 10 < asked.count("Mend it.") < 30
    assert set(asked) == set(INSTRUCTIONS["spellcheck"])


class TestRaft:
    def test_a_question_comes_with_four_documents_in_their_form(self) -> None:
        rows = [knowledge(chunk) for chunk in range(8)]
        (first, *_) = phases(rows)[1]
        documents, _ = raft(rows)[0]
        assert user(first) == (
            "\n".join(f"Document:\n{document}\n\n" for document in documents)
            + "\n\nWhat does chunk 0 say, 0?"
        )
        assert {len(documents) for documents, _ in raft(rows)} == {DOCUMENTS}

    def test_the_document_with_the_answer_is_there_in_two_of_five_cases(self) -> None:
        rows = [knowledge(chunk, question) for chunk in range(10) for question in range(100)]
        golden = [
            row["document"] in documents
            for row, (documents, _) in zip(rows, raft(rows), strict=True)
        ]
        assert 350 < sum(golden) < 450

    @given(st.integers(1, 7), st.integers(0, 5))
    def test_with_fewer_documents_all_there_are_are_taken(self, chunks: int, seed: int) -> None:
        rows = [knowledge(chunk) for chunk in range(chunks)]
        for row, (documents, question) in zip(rows, raft(rows, seed), strict=True):
            assert question == row["question"]
            assert len(set(documents)) == len(documents)
            golden = row["document"] in documents
            assert golden or chunks > 1
            assert len(documents) == min(DOCUMENTS, chunks - 1 + golden)

    def test_a_rewriting_of_the_document_with_the_answer_is_no_other_document(self) -> None:
        kinds = ("spellcheck", "summary", "base_document")
        rows = [rewritten(chunk, kind) for chunk in range(3) for kind in kinds]
        for row, (documents, _) in zip(rows, raft(rows), strict=True):
            chunk = row["raw_document"][:7]
            own = [document for document in documents if document.startswith(chunk)]
            assert own in ([], [row["document"]])
            assert len({document[:7] for document in documents}) == len(documents)

    @pytest.mark.parametrize("seed", range(3))
    def test_the_order_of_documents_tells_nothing(self, seed: int) -> None:
        rows = [knowledge(chunk, question) for chunk in range(5) for question in range(40)]
        places = [
            documents.index(row["document"])
            for row, (documents, _) in zip(rows, raft(rows, seed), strict=True)
            if row["document"] in documents
        ]
        assert {places.count(place) > 5 for place in range(DOCUMENTS)} == {True}
