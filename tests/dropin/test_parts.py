"""The parts of the workflow by hand: taxonomies, documents, recipes, questions to test with."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset
from instructlab.schema.taxonomy import TaxonomyReadingException

from dropin_helpers import client_of
from dropin_runs import BIRDS, contents, go
from instructlab.sdg import (
    GenerateException,
    Pipeline,
    mix_datasets,
)
from instructlab.sdg.datamixing import DataMixer, Recipe
from instructlab.sdg.eval_data import generate_eval_task_data, mmlubench_pipe_init
from instructlab.sdg.generate_data import (
    preprocess_taxonomy,
)
from instructlab.sdg.pipeline import PipelineContext
from instructlab.sdg.utils.chunkers import DocumentChunker
from instructlab.sdg.utils.json import jldump, jlload
from instructlab.sdg.utils.taxonomy import (
    leaf_node_to_samples,
    read_taxonomy,
    read_taxonomy_leaf_nodes,
)
from taxonomy_runs import LEAVES

SUFFIX = "2026-01-31T12_00_00"


# -- reading a taxonomy -------------------------------------------------------------------------


def test_leaf_nodes_are_what_the_rag_commands_of_the_client_read(made):
    nodes = read_taxonomy_leaf_nodes("taxonomy", "empty", None, made / "docs")
    assert sorted(nodes) == [
        "compositional_skills->letters",
        "compositional_skills->mixed",
        "compositional_skills->rhymes",
        "knowledge->science->birds",
    ]
    birds = nodes["knowledge->science->birds"]
    assert len(birds) == 5
    assert [path.name for path in birds[0]["filepaths"]] == ["birds.md"]
    assert birds[0]["filepaths"][0].read_text().startswith("# Chickadees")
    assert birds[0]["filepaths"][0].rename(made / "moved.md").exists()
    assert birds[0]["questions_and_answers"][0] == {
        "question": "Question 1.1?",
        "answer": "Answer 1.1.",
    }
    assert birds[0]["context"] == "Context 1."
    letters = nodes["compositional_skills->letters"]
    assert letters[0]["instruction"] == "On letters 1?"
    assert (letters[0]["input"], letters[0]["output"]) == ("Context 1.", "Answer 1.")
    assert "filepaths" not in letters[0]
    assert read_taxonomy("taxonomy", "empty", document_output_dir=made / "d2")[0].keys() == (
        letters[0].keys()
    )


def test_leaf_nodes_become_the_rows_that_preprocessing_writes(made):
    preprocess_taxonomy("taxonomy", made / "pre")
    nodes = read_taxonomy_leaf_nodes("taxonomy", "empty", None, made / "docs")
    for path, node in nodes.items():
        rows = leaf_node_to_samples(node, 4096, 1000, made, None)
        assert rows.to_list() == jlload(made / "pre" / f"{path.replace('->', '_')}.jsonl")


def test_documents_are_cut_into_pieces_within_the_limit(tmp_path):
    (tmp_path / "a.md").write_text("# One\n\n" + "word " * 300 + "\n\n# Two\n\n" + "more " * 300)
    (tmp_path / "b.TXT").write_text("a few words")
    paths = [tmp_path / "a.md", tmp_path / "b.TXT"]
    chunks = DocumentChunker(paths, tmp_path, "tokenizer", chunk_word_count=310).chunk_documents()
    assert len(chunks) == 3
    assert chunks[-1] == "a few words"
    with pytest.raises(ValueError, match="type that cannot be read"):
        DocumentChunker([tmp_path / "c.exe"], tmp_path)
    with pytest.raises(FileNotFoundError):
        DocumentChunker([], tmp_path)


def test_a_taxonomy_without_changes_has_no_leaf_nodes(made):
    from document_repositories import repository

    repository(made / "taxonomy", {})
    assert read_taxonomy_leaf_nodes("taxonomy", "main", None) == {}


def test_no_error_of_a_taxonomy_ends_the_process(made):
    file = made / "taxonomy" / "compositional_skills" / "rhymes" / "qna.yaml"
    file.write_text("version: 4\n")
    with pytest.raises(TaxonomyReadingException, match="version"):
        read_taxonomy("taxonomy", "empty")


# -- mixing -------------------------------------------------------------------------------------


def training_rows(count: int) -> list[dict[str, Any]]:
    said = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}]
    return [{"id": f"{n}", "messages": said, "metadata": "{}", "unmask": False}
            for n in range(count)]  # fmt: skip


def test_a_recipe_made_in_python_is_saved_read_and_mixed(tmp_path):
    jldump(training_rows(10), tmp_path / "data" / "a.jsonl")
    recipe = Recipe(sys_prompt="Be kind.")
    recipe.add_dataset("data/a.jsonl", 4)
    assert recipe.dataset_added
    recipe.save_recipe(tmp_path / "recipe.yaml")
    read = Recipe(tmp_path / "recipe.yaml", "Be brief.")
    assert read.datasets == [{"path": "data/a.jsonl", "sampling_size": 4}]
    assert not read.dataset_added
    read.save_mixed_dataset(tmp_path / "mixed.jsonl", 8)
    rows = jlload(tmp_path / "mixed.jsonl")
    assert len({row["id"] for row in rows}) == 4
    assert {row["messages"][0]["content"] for row in rows} == {"Be brief."}


def test_an_empty_recipe_is_not_mixed_and_a_missing_one_is_an_error(tmp_path):
    Recipe().save_recipe(tmp_path / "recipe.yaml")
    mix_datasets(str(tmp_path / "recipe.yaml"), str(tmp_path / "mixed.jsonl"))
    assert not (tmp_path / "mixed.jsonl").exists()
    with pytest.raises(GenerateException, match="absent"):
        mix_datasets(str(tmp_path / "absent.yaml"), str(tmp_path / "mixed.jsonl"))


def test_a_mixer_writes_what_post_processing_writes(made, stub):
    date = go(stub, pipeline="full", system_prompt="Be kind.")
    generated = made / "out" / f"generated_{date}"
    auxiliary = Pipeline.from_file(None, "pipelines/full/knowledge.yaml").auxiliary_inst
    mixer = DataMixer([], made / "mixer", date, "Be kind.", 8, auxiliary)
    for leaf in LEAVES:
        rows = Dataset.from_list(jlload(generated / f"{leaf}.jsonl"))
        mixer.collect(leaf, rows, leaf == BIRDS, False)
    mixer.generate()
    assert DataMixer.NUM_SYNTH_SKILLS == 30
    of_mixer = contents(made / "mixer", made / "mixer")
    of_run = contents(made / "out", made / "out")
    assert len(of_mixer) >= 9
    assert of_mixer == {name: of_run[name] for name in of_mixer}


def test_questions_to_test_with_by_hand(made, stub):
    preprocess_taxonomy("taxonomy", made / "pre")
    rows = Dataset.from_list(jlload(made / "pre" / f"{BIRDS}.jsonl"))
    context = PipelineContext(client_of(stub), "mixtral", "stub-model")
    generate_eval_task_data(mmlubench_pipe_init(context), BIRDS, rows, made / "eval", SUFFIX)
    questions = jlload(made / "eval" / f"node_datasets_{SUFFIX}" / f"mmlubench_{BIRDS}.jsonl")
    assert [row["answer"] for row in questions] == [
        "ABCD".index(row["mmlubench_answer"][0]) for row in questions
    ]
    assert questions
