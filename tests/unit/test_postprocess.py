"""Post-processing: every generated row becomes training rows or is rejected with a reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.postprocess import (
    postprocess,
    postprocess_folder,
    write_mixes,
    write_test_file,
)
from kfp_sdg.storage import rows_from_objects
from training_files import (
    BIRDS,
    NAMES,
    NODES,
    RHYMES,
    SUFFIX,
    SYSTEM,
    freeform,
    grounded,
    knowledge,
    process,
    read_lines,
    rewritten,
    settings,
    simple_grounded,
    write_lines,
)

if TYPE_CHECKING:
    from pathlib import Path

TESTS = [{"user": "q", "assistant": "a", "system": "s"}]


def node(folder: Path, name: str) -> list[dict[str, Any]]:
    return read_lines(folder / NODES / name)


def said(row: dict[str, Any]) -> dict[str, str]:
    return {message["role"]: message["content"] for message in row["messages"]}


LEAVES = {
    BIRDS: [knowledge(0), knowledge(1)],
    RHYMES: [freeform(0), freeform(1)],
    NAMES: [grounded(0)],
}


class TestFiles:
    def test_a_run_leaves_the_files_that_trainers_look_for(self, tmp_path: Path) -> None:
        process(tmp_path, LEAVES)
        write_mixes(tmp_path, SUFFIX)
        write_test_file(rows_from_objects(TESTS), tmp_path, SUFFIX)
        assert read_lines(tmp_path / f"test_{SUFFIX}.jsonl") == TESTS
        files = {
            str(path.relative_to(tmp_path))
            for path in tmp_path.rglob("*")
            if path.is_file() and path.parent.name != "generated"
        }
        assert files == {
            f"test_{SUFFIX}.jsonl",
            f"train_{SUFFIX}.jsonl",
            f"messages_{SUFFIX}.jsonl",
            f"{NODES}/{BIRDS}_p07.jsonl",
            f"{NODES}/{BIRDS}_p10.jsonl",
            f"{NODES}/{RHYMES}.jsonl",
            f"{NODES}/{NAMES}.jsonl",
            f"knowledge_recipe_{SUFFIX}.yaml",
            f"skills_recipe_{SUFFIX}.yaml",
            f"knowledge_train_msgs_{SUFFIX}.jsonl",
            f"skills_train_msgs_{SUFFIX}.jsonl",
        }

    def test_train_and_messages_have_every_pair(self, tmp_path: Path) -> None:
        done = process(tmp_path, LEAVES)
        train = read_lines(done.train)
        assert train[0] == {
            "system": SYSTEM,
            "user": "Text 0 names Eve.\n\nWho is named in 0?",
            "assistant": "Eve.",
        }
        assert [list(row) for row in train] == [["system", "user", "assistant"]] * 5
        messages = read_lines(done.messages)
        assert [list(row) for row in messages] == [["messages", "metadata"]] * 5
        assert json.loads(messages[0]["metadata"]) == {"system": SYSTEM}
        assert [said(row) for row in messages] == [
            {"user": row["user"], "assistant": row["assistant"]} for row in train
        ]
        # knowledge is asked for without its document
        assert train[-1]["user"] == "What does chunk 1 say, 0?"

    def test_the_recipes_name_what_was_written(self, tmp_path: Path) -> None:
        done = process(tmp_path, LEAVES)
        recipes = {
            kind: yaml.safe_load(path.read_text(encoding="utf-8"))
            for kind, path in done.recipes.items()
        }
        assert recipes["knowledge"] == {
            "datasets": [{"path": f"{NODES}/{BIRDS}_p07.jsonl", "sampling_size": 1.0}],
            "metadata": {"sys_prompt": SYSTEM},
        }
        assert recipes["skills"]["datasets"] == [
            {"path": f"{NODES}/{NAMES}.jsonl", "sampling_size": 30},
            {"path": f"{NODES}/{RHYMES}.jsonl", "sampling_size": 30},
            {"path": f"{NODES}/{BIRDS}_p10.jsonl", "sampling_size": 1.0},
        ]

    def test_the_mixes_have_the_four_columns_and_the_system_prompt(self, tmp_path: Path) -> None:
        process(tmp_path, LEAVES)
        mixes = write_mixes(tmp_path, SUFFIX)
        assert {kind: mixed.rows for kind, mixed in mixes.items()} == {"knowledge": 2, "skills": 64}
        for mixed in mixes.values():
            for row in read_lines(mixed.output):
                assert list(row) == ["id", "messages", "metadata", "unmask"]
                assert isinstance(row["metadata"], str)
                assert said(row)["system"] == SYSTEM

    def test_how_much_of_each_skill_is_mixed_can_be_chosen(self, tmp_path: Path) -> None:
        done = process(tmp_path, LEAVES, skills_sampling_size=0.5)
        recipe = yaml.safe_load(done.recipes["skills"].read_text())
        assert [entry["sampling_size"] for entry in recipe["datasets"]] == [0.5, 0.5, 1.0]

    def test_tables_and_files_give_the_same(self, tmp_path: Path) -> None:
        process(tmp_path / "files", LEAVES)
        tables = {name: rows_from_objects(rows) for name, rows in LEAVES.items()}
        postprocess(tables, tmp_path / "tables", SUFFIX, settings())
        assert contents(tmp_path / "tables") == contents(tmp_path / "files")

    def test_a_run_that_generated_nothing_writes_empty_files_and_recipes(
        self, tmp_path: Path
    ) -> None:
        done = process(tmp_path, {BIRDS: []})
        assert [(leaf.leaf, leaf.rows_in, leaf.files) for leaf in done.leaves] == [(BIRDS, 0, {})]
        assert read_lines(done.train) == read_lines(done.messages) == []
        assert write_mixes(tmp_path, SUFFIX) == {}
        assert not (tmp_path / NODES).exists()

    def test_a_missing_folder_and_a_damaged_line_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="no such folder with generated rows"):
            postprocess_folder(tmp_path / "gone", tmp_path, SUFFIX)
        (tmp_path / "g").mkdir()
        (tmp_path / "g" / "x.jsonl").write_text('{"a": 1}\n[]\n')
        with pytest.raises(StorageError, match=r"x\.jsonl:2: expected one JSON object per line"):
            postprocess_folder(tmp_path / "g", tmp_path, SUFFIX)

    def test_a_leaf_whose_name_leads_elsewhere_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot be the name of a file"):
            postprocess({"../x": rows_from_objects([freeform(0)])}, tmp_path, SUFFIX, settings())


class TestSkills:
    def test_a_row_keeps_its_columns_and_gets_id_messages_and_unmask(self, tmp_path: Path) -> None:
        process(tmp_path, {RHYMES: [freeform(0)]})
        (row,) = node(tmp_path, f"{RHYMES}.jsonl")
        assert list(row) == [*freeform(0), "id", "messages", "unmask"]
        assert {name: row[name] for name in freeform(0)} == freeform(0)
        assert said(row) == {"system": SYSTEM, "user": "Rhyme on 0?", "assistant": "Rhyme 0."}
        assert row["unmask"] is False

    def test_one_text_is_split_at_its_first_question_mark(self, tmp_path: Path) -> None:
        row = {**freeform(0), "output": " What? No!\nReally? Yes. "}
        del row["question"], row["response"]
        process(tmp_path, {RHYMES: [row]})
        assert said(node(tmp_path, f"{RHYMES}.jsonl")[0]) == {
            "system": SYSTEM,
            "user": "What?",
            "assistant": "No!\nReally? Yes.",
        }

    @pytest.mark.parametrize(
        ("output", "question", "answer"),
        [
            ("什么是彗星？冰和尘埃。", "什么是彗星？", "冰和尘埃。"),
            ("ما المذنب؟ جليد.", "ما المذنب؟", "جليد."),
        ],
        ids=["Chinese", "Arabic"],
    )
    def test_the_question_marks_of_other_scripts_end_a_question_too(
        self, tmp_path: Path, output: str, question: str, answer: str
    ) -> None:
        row = freeform(0, question=None, response=None, output=output)
        process(tmp_path, {RHYMES: [row]})
        told = said(node(tmp_path, f"{RHYMES}.jsonl")[0])
        assert (told["user"], told["assistant"]) == (question, answer)

    def test_a_question_that_was_asked_about_a_seed_s_text_keeps_that_text(
        self, tmp_path: Path
    ) -> None:
        done = process(tmp_path, {NAMES: [simple_grounded(0)]})
        user = "Ann met Bob.\n\nWho met Bob in 0?"
        assert said(node(tmp_path, f"{NAMES}.jsonl")[0])["user"] == user
        assert read_lines(done.train)[0]["user"] == user
        assert said(read_lines(done.messages)[0])["user"] == user

    def test_a_seed_s_text_is_not_put_before_a_question_about_another(self, tmp_path: Path) -> None:
        row = grounded(0)
        del row["context"]
        process(tmp_path, {NAMES: [row]})
        assert said(node(tmp_path, f"{NAMES}.jsonl")[0])["user"] == row["question"]

    def test_a_context_that_is_part_of_the_question_comes_once(self, tmp_path: Path) -> None:
        done = process(tmp_path, {NAMES: [grounded(0)]})
        rows = [*node(tmp_path, f"{NAMES}.jsonl"), *read_lines(done.messages)]
        assert [said(row)["user"].count("Text 0 names Eve.") for row in rows] == [1, 1]

    def test_a_context_that_is_beside_the_question_comes_before_it(self, tmp_path: Path) -> None:
        process(tmp_path, {NAMES: [grounded(0, question="Who is named?")]})
        user = said(node(tmp_path, f"{NAMES}.jsonl")[0])["user"]
        assert user == "Text 0 names Eve.\n\nWho is named?"

    def test_a_leaf_with_both_kinds_of_skill_has_the_rows_of_both(self, tmp_path: Path) -> None:
        rows = [simple_grounded(0), {**freeform(1), "seed_context": None}, simple_grounded(2)]
        tables = {"mixed": rows_from_objects(rows)}  # where a column is missing it is null
        done = postprocess(tables, tmp_path, SUFFIX, settings())
        assert (done.leaves[0].used, done.leaves[0].files) == (3, {"mixed.jsonl": 3})
        users = [said(row)["user"] for row in node(tmp_path, "mixed.jsonl")]
        assert users == [
            "Ann met Bob.\n\nWho met Bob in 0?",
            "Rhyme on 1?",
            "Ann met Bob.\n\nWho met Bob in 2?",
        ]

    def test_equal_rows_have_different_ids(self, tmp_path: Path) -> None:
        process(tmp_path, {RHYMES: [freeform(0), freeform(0), freeform(1)]})
        assert len({row["id"] for row in node(tmp_path, f"{RHYMES}.jsonl")}) == 3


BAD = {
    "no_document": [knowledge(0, document=None), knowledge(0, document=" ")],
    "no_question": [freeform(0, question=""), freeform(0, question=None, output="? Yes.")],
    "no_answer": [
        freeform(0, response=None),
        freeform(0, response=" \n"),
        freeform(0, question=None, response=None, output="Why? "),
    ],
    "no_question_mark": [freeform(0, question=None, response=None, output="Just text.")],
}


class TestRejectedRows:
    def test_a_row_that_nothing_can_be_learnt_from_is_rejected_with_its_reason(
        self, tmp_path: Path
    ) -> None:
        bad = [(reason, row) for reason, rows in BAD.items() for row in rows]
        rows = [row for _, row in bad]
        done = process(tmp_path, {"leaf": [freeform(7), *rows, knowledge(7)]})
        (leaf,) = done.leaves
        assert (leaf.rows_in, leaf.used, len(leaf.rejections)) == (10, 2, 8)
        assert leaf.rejected_by_reason == {reason: len(rows) for reason, rows in BAD.items()}
        assert [(r.reason, r.row) for r in leaf.rejections] == bad
        kept = leaf.rejected_rows()
        assert kept[-1]["rejected_answer"] == "Just text."
        assert "no question mark" in kept[-1]["rejected_message"]
        assert {name: kept[0][name] for name in rows[0]} == rows[0]

    def test_a_leaf_of_which_no_row_is_left_has_no_files(self, tmp_path: Path) -> None:
        done = process(tmp_path, {"bad": [freeform(0, response="")], RHYMES: [freeform(0)]})
        assert [(leaf.leaf, leaf.used) for leaf in done.leaves] == [("bad", 0), (RHYMES, 1)]
        assert [path.name for path in (tmp_path / NODES).iterdir()] == [f"{RHYMES}.jsonl"]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "generated"
    }


MANY = {
    BIRDS: [
        rewritten(chunk, kind, question)
        for chunk in range(6)
        for kind in ("spellcheck", "base_document")
        for question in range(2)
    ],
    RHYMES: [freeform(n) for n in range(50)],
    NAMES: [grounded(n) for n in range(5)],
}


class TestDeterminism:
    def test_every_process_and_every_order_of_files_give_the_same_bytes(
        self, tmp_path: Path
    ) -> None:
        code = (
            "import sys; from pathlib import Path\n"
            "from kfp_sdg.instructlab.mixing import TrainingSettings\n"
            "from kfp_sdg.instructlab.postprocess import postprocess_folder, write_mixes\n"
            "chosen = TrainingSettings(auxiliary_instructions={'spellcheck': ['a', 'b', 'c']},\n"
            "                          recipe_folders=())\n"
            "folder = Path(sys.argv[1])\n"
            "postprocess_folder(folder / 'generated', folder, sys.argv[2], chosen)\n"
            "write_mixes(folder, sys.argv[2])\n"
        )
        names = list(MANY)
        made = []
        for hash_seed, order in (("0", names), ("7", names[::-1])):
            folder = tmp_path / hash_seed
            for name in order:
                write_lines(folder / "generated" / f"{name}.jsonl", MANY[name])
            subprocess.run(
                [sys.executable, "-c", code, str(folder), SUFFIX],
                check=True,
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
            )
            made.append(contents(folder))
        assert len(made[0]) == 10
        assert made[0] == made[1]

    def test_another_seed_chooses_otherwise(self, tmp_path: Path) -> None:
        for seed in (1, 2):
            process(tmp_path / str(seed), MANY, seed=seed)
        one, two = (node(tmp_path / seed, f"{BIRDS}_p10.jsonl") for seed in "12")
        assert len(one) == len(two)
        assert one != two


def test_a_leaf_takes_the_memory_of_its_documents_not_of_its_rows(tmp_path: Path) -> None:
    long = "Birds fly. " * 1000
    rows = [knowledge(n % 5, n, document=f"{n % 5} {long}", icl_document=long) for n in range(500)]
    table = rows_from_objects(rows)
    postprocess({BIRDS: table.slice(0, 1)}, tmp_path, "warm", settings())  # imports stay
    tracemalloc.start()
    try:
        postprocess({BIRDS: table}, tmp_path, SUFFIX, settings())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table.nbytes > 10_000_000
    assert peak < 5_000_000
