"""Preprocessed rows: by leaf and by kind, in memory and in a folder that InstructLab could read."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.instructlab.model import (
    DocumentSource,
    Leaf,
    LeafKind,
    QuestionAnswer,
    SeedExample,
)
from kfp_sdg.instructlab.preprocess import preprocess, read_preprocessed, write_preprocessed
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import KNOWLEDGE, SKILL, knowledge, skill, write_leaf

COMETS = "knowledge_science_comets"
HAIKU = "compositional_skills_writing_haiku"
MIXED = "compositional_skills/writing/letters"


@pytest.fixture
def leaves(tmp_path):
    """Knowledge of up to four pairs, a freeform skill, and one with two grounded examples."""
    write_leaf(tmp_path, KNOWLEDGE, knowledge(pairs=(1, 4, 3)))
    write_leaf(tmp_path, SKILL, skill())
    write_leaf(tmp_path, MIXED, skill(6, grounded=(2, 5)))
    return read_taxonomy(tmp_path)


@pytest.fixture
def rows(leaves):
    return preprocess(leaves, {COMETS: ["chunk 1", "chunk 2"]})


def test_a_table_holds_all_rows_of_a_kind_leaf_by_leaf(rows):
    freeform = rows.table(LeafKind.FREEFORM)

    assert rows.kinds == tuple(LeafKind)
    assert [rows.table(kind).num_rows for kind in LeafKind] == [10, 9, 2]
    assert freeform["leaf_node_path"].to_pylist() == (
        ["compositional_skills_writing_haiku"] * 5 + ["compositional_skills_writing_letters"] * 4
    )


def test_a_mixed_leaf_is_in_both_tables_of_skills_with_the_columns_of_each(rows):
    grounded = rows.table(LeafKind.GROUNDED)

    assert grounded["seed_context"].to_pylist() == ["Context 2.", "Context 5."]
    assert "seed_context" not in rows.table(LeafKind.FREEFORM).column_names


def test_a_kind_without_rows_keeps_its_columns(leaves):
    rows = preprocess(leaves[:1], {}).table(LeafKind.GROUNDED)

    assert (rows.num_rows, "seed_context" in rows.column_names) == (0, True)


def test_leaves_with_fewer_pairs_have_null_where_others_have_more(tmp_path):
    write_leaf(tmp_path, "knowledge/few", knowledge(pairs=(2,)))
    write_leaf(tmp_path, "knowledge/many", knowledge(pairs=(5,)))
    chunks = {"knowledge_few": ["a"], "knowledge_many": ["b"]}

    table = preprocess(read_taxonomy(tmp_path), chunks).table(LeafKind.KNOWLEDGE)

    assert table.column_names[-1] == "icl_response_5"
    assert table["icl_response_5"].null_count == 5


def test_knowledge_without_a_word_of_its_documents_is_refused_with_its_file(leaves):
    with pytest.raises(SpecError, match=r"knowledge/science/comets/qna\.yaml: there is nothing"):
        preprocess(leaves, {})


# -- scale factors -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KNOWLEDGE, COMETS, "knowledge/*", "knowledge_*", "*comets"])
def test_a_leafs_own_scale_factor_stands_in_its_rows_and_nowhere_else(leaves, key):
    rows = preprocess(leaves, {COMETS: ["a"]}, scale_factors={key: 7})

    column = rows.table(LeafKind.KNOWLEDGE)["num_instructions_to_generate"]
    assert (str(column.type), column.to_pylist()) == ("int64", [7] * 5)
    assert "num_instructions_to_generate" not in rows.table(LeafKind.FREEFORM).column_names


def test_a_whole_name_goes_before_a_pattern_and_a_later_pattern_before_an_earlier_one(leaves):
    factors = {MIXED: 1, "*": 2, "compositional_skills/*": 3}
    rows = preprocess(leaves, {COMETS: ["a"]}, scale_factors=factors)

    found = {
        leaf.name: leaf.rows["num_instructions_to_generate"][0].as_py() for leaf in rows.leaves
    }
    assert found == {COMETS: 2, HAIKU: 3, "compositional_skills_writing_letters": 1}


def test_leaves_without_a_scale_factor_have_null_beside_those_that_have_one(leaves):
    table = preprocess(leaves, {COMETS: ["a"]}, scale_factors={SKILL: 4}).table(LeafKind.FREEFORM)

    assert table["num_instructions_to_generate"].to_pylist() == [4] * 5 + [None] * 4


def test_a_scale_factor_for_no_leaf_names_the_nearest_one(leaves):
    with pytest.raises(SpecError) as caught:
        preprocess(leaves, {COMETS: ["a"]}, scale_factors={"knowledge/science/comet": 3})

    assert "did you mean 'knowledge/science/comets'?" in str(caught.value)


@pytest.mark.parametrize("factor", [0, -1, 2.5, True, "3"])
def test_a_scale_factor_is_a_whole_number_from_one_up(leaves, factor):
    with pytest.raises(SpecError, match="expected a whole number from 1 up"):
        preprocess(leaves, {COMETS: ["a"]}, scale_factors={SKILL: factor})


# -- the folder ----------------------------------------------------------------------------------


def test_what_is_written_is_read_again(rows, tmp_path):
    files = write_preprocessed(rows, tmp_path / "out")
    again = read_preprocessed(tmp_path / "out")

    assert [file.name for file in files] == [f"{leaf.name}.jsonl" for leaf in rows.leaves]
    assert [(leaf.name, leaf.kinds) for leaf in again.leaves] == [
        (leaf.name, leaf.kinds) for leaf in rows.leaves
    ]
    for kind in LeafKind:
        assert again.table(kind).equals(rows.table(kind))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=3))
def test_any_text_survives_the_folder(chunks):
    example = SeedExample((QuestionAnswer("Q?", "A"),), "C")
    leaf = Leaf(KNOWLEDGE, "qna.yaml", 3, (example,), documents=DocumentSource("r", "c", ("*",)))
    rows = preprocess([leaf], {COMETS: chunks})

    with tempfile.TemporaryDirectory() as folder:
        write_preprocessed(rows, folder)
        table = read_preprocessed(folder).table(LeafKind.KNOWLEDGE)

    assert table.equals(rows.table(LeafKind.KNOWLEDGE))


def test_the_same_rows_make_the_same_bytes(rows, tmp_path):
    first = write_preprocessed(rows, tmp_path / "a")
    second = write_preprocessed(read_preprocessed(tmp_path / "a"), tmp_path / "b")

    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_writing_again_replaces_the_rows_of_the_same_leaves(rows, tmp_path):
    write_preprocessed(rows, tmp_path / "out")
    write_preprocessed(rows, tmp_path / "out")

    assert len(list((tmp_path / "out").iterdir())) == 3


def test_rows_are_not_written_beside_those_of_other_leaves(rows, tmp_path):
    (tmp_path / "other.jsonl").write_text("{}\n")

    with pytest.raises(StorageError, match=r"other leaves \(other\.jsonl\)"):
        write_preprocessed(rows, tmp_path)


def as_instructlab(folder, name, *rows):
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


KNOWLEDGE_ROW = {
    "document": "A comet is ice.\n",
    "icl_document": "C",
    "document_outline": "What comets are.",
    "domain": "astronomy",
    "leaf_node_type": "knowledge",
    "icl_query_1": "Q?",
    "icl_response_1": "A",
}
SKILL_ROW = {
    "task_description": "Write.",
    "seed_question": "Q?",
    "seed_response": "A",
    "leaf_node_type": "freeform_skill",
    "leaf_node_path": HAIKU,
}


def test_knowledge_rows_that_do_not_say_their_leaf_have_it_from_the_files_name(tmp_path):
    as_instructlab(tmp_path, COMETS, KNOWLEDGE_ROW)

    (row,) = read_preprocessed(tmp_path).table(LeafKind.KNOWLEDGE).to_pylist()

    assert row["leaf_node_path"] == COMETS
    assert row["document"] == "A comet is ice.\n"
    assert row["icl_query_3"] is None


def test_further_columns_of_a_folder_stay(tmp_path):
    as_instructlab(tmp_path, HAIKU, SKILL_ROW | {"origin": "ours", "page": 3})

    (row,) = read_preprocessed(tmp_path).table(LeafKind.FREEFORM).to_pylist()

    assert (row["origin"], row["page"]) == ("ours", 3)


def test_folders_and_other_files_beside_the_rows_are_left_alone(tmp_path):
    as_instructlab(tmp_path, HAIKU, SKILL_ROW)
    (tmp_path / "documents").mkdir()
    (tmp_path / "notes.txt").write_text("x")

    assert [leaf.name for leaf in read_preprocessed(tmp_path).leaves] == [HAIKU]


def test_a_damaged_line_is_named_with_its_file_and_number(tmp_path):
    file = as_instructlab(tmp_path, HAIKU, SKILL_ROW, SKILL_ROW)
    file.write_text(file.read_text()[:-20])

    with pytest.raises(StorageError, match=rf"{HAIKU}\.jsonl:2:\d+: not JSON"):
        read_preprocessed(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([SKILL_ROW, SKILL_ROW | {"leaf_node_type": "skill"}],
         "row 1: leaf_node_type is 'skill'; expected one of knowledge, freeform_skill, grounded"),
        ([{k: v for k, v in SKILL_ROW.items() if k != "leaf_node_type"}],
         "the rows have no column leaf_node_type"),
        ([SKILL_ROW, SKILL_ROW | {"leaf_node_path": "other"}],
         "row 1: leaf_node_path is 'other', and the file is named after the leaf"),
        ([SKILL_ROW, SKILL_ROW | {"leaf_node_type": "grounded_skill"}],
         "the rows have no column seed_context"),
        ([SKILL_ROW | {"seed_context": "C"}, SKILL_ROW | {"leaf_node_type": "grounded_skill"}],
         "row 1: a row of grounded_skill has no seed_context"),
        ([SKILL_ROW | {"seed_question": 3}], "the column seed_question is not text but int64"),
    ],
)  # fmt: skip
def test_rows_that_no_pipeline_could_use_are_refused(tmp_path, rows, message):
    as_instructlab(tmp_path, HAIKU, *rows)

    with pytest.raises(StorageError) as caught:
        read_preprocessed(tmp_path)

    assert message in str(caught.value)


def test_a_folder_without_rows_is_refused(tmp_path):
    with pytest.raises(StorageError, match="there are no rows of leaves"):
        read_preprocessed(tmp_path)


def test_columns_that_leaves_use_for_different_things_are_named(tmp_path):
    as_instructlab(tmp_path, HAIKU, SKILL_ROW | {"page": 3})
    as_instructlab(tmp_path, "other", SKILL_ROW | {"page": "iii", "leaf_node_path": "other"})

    with pytest.raises(StorageError, match="page"):
        read_preprocessed(tmp_path).table(LeafKind.FREEFORM)


def test_a_name_that_no_disk_can_hold_is_told_with_the_folder(tmp_path):
    example = SeedExample((QuestionAnswer("Q?", "A"),))
    leaf = Leaf(f"compositional_skills/{'x' * 300}", "qna.yaml", 3, (example,))

    with pytest.raises(
        StorageError, match=f"cannot write the rows of the leaves to {tmp_path}/out"
    ):
        write_preprocessed(preprocess([leaf], {}), tmp_path / "out")


def test_nothing_heavy_is_loaded_on_the_way_from_a_taxonomy_to_rows(tmp_path):
    write_leaf(tmp_path, KNOWLEDGE, knowledge())
    write_leaf(tmp_path, MIXED, skill(6, grounded=(2, 5)))
    code = (
        "import sys\n"
        "from kfp_sdg.instructlab.model import LeafKind\n"
        "from kfp_sdg.instructlab.preprocess import *\n"
        "from kfp_sdg.instructlab.taxonomy import read_taxonomy\n"
        f"leaves = read_taxonomy({str(tmp_path)!r})\n"
        f"rows = preprocess(leaves, {{{COMETS!r}: ['a']}}, scale_factors={{'*': 3}})\n"
        f"write_preprocessed(rows, {str(tmp_path / 'out')!r})\n"
        f"again = read_preprocessed({str(tmp_path / 'out')!r})\n"
        "assert [again.table(kind).num_rows for kind in LeafKind] == [5, 4, 2]\n"
        "print({'datasets', 'docling', 'git', 'kfp', 'openai', 'pandas'} & set(sys.modules))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout == "set()\n"
