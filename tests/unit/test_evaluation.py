"""Evaluation data: the right choice stays the right one, and what is doubtful is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.evaluation import mmlu_files
from kfp_sdg.instructlab.multiple_choice import parse_answer, parse_question
from kfp_sdg.storage import rows_from_objects
from training_files import SUFFIX, read_lines

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.instructlab.leaf_books import LeafBooks

BIRDS = "knowledge_birds"
NODES = f"node_datasets_{SUFFIX}"
CHOICES = ("By bus", "By train", "On foot", "They stay")
QUESTION = "How do swifts travel?\n\nA) By bus\nB) By train\nC) On foot\nD) They stay"


def row(answer: Any, question: Any = QUESTION) -> dict[str, Any]:
    """Return a row as the pipeline instructlab/eval/mmlu_bench gives it."""
    return {
        "document": "Swifts travel far.",
        "icl_document": "Birds fly.",
        "domain": "zoology",
        "leaf_node_type": "knowledge",
        "leaf_node_path": BIRDS,
        "icl_query_1": "Fly?",
        "mmlubench_question": question,
        "mmlubench_answer": answer,
    }


def write(folder: Path, rows: list[dict[str, Any]], **options: Any) -> LeafBooks:
    (books,) = mmlu_files({BIRDS: rows_from_objects(rows)}, folder, SUFFIX, **options)
    return books


def exam(folder: Path) -> list[dict[str, Any]]:
    return read_lines(folder / NODES / f"mmlubench_{BIRDS}.jsonl")


class TestFiles:
    @pytest.mark.parametrize("letters", ["ABCD", "BD", "C", "B", "DDA"])
    def test_answers_keep_their_index_whatever_letters_occur(
        self, tmp_path: Path, letters: str
    ) -> None:
        texts = dict(zip("ABCD", CHOICES, strict=True))
        write(tmp_path, [row(f"{letter}) {texts[letter]}") for letter in letters])
        found = exam(tmp_path)
        assert [question["answer"] for question in found] == ["ABCD".index(c) for c in letters]
        assert [q["choices"][q["answer"]] for q in found] == [texts[c] for c in letters]

    def test_a_row_keeps_its_columns_and_has_what_lm_eval_reads(self, tmp_path: Path) -> None:
        write(tmp_path, [row("B)")])
        assert exam(tmp_path) == [
            {
                "document": "Swifts travel far.",
                "icl_document": "Birds fly.",
                "subject": "zoology",
                "leaf_node_type": "knowledge",
                "leaf_node_path": BIRDS,
                "icl_query_1": "Fly?",
                "mmlubench_question": QUESTION,
                "mmlubench_answer": "B)",
                "dataset_type": "mcq_qa",
                "answer": 1,
                "choices": list(CHOICES),
                "question": "How do swifts travel?",
            }
        ]

    def test_the_task_asks_the_question_with_its_choices(self, tmp_path: Path) -> None:
        write(tmp_path, [row("B)")])
        task = yaml.safe_load((tmp_path / NODES / f"{BIRDS}_task.yaml").read_text())
        data = str(tmp_path / NODES / f"mmlubench_{BIRDS}.jsonl")
        prompt = task.pop("doc_to_text")
        assert task == {
            "task": BIRDS,
            "tag": "mmlu_pr",
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {"test": data}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
        template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(prompt)
        assert template.render(**exam(tmp_path)[0]) == (
            "How do swifts travel?\nA. By bus\nB. By train\nC. On foot\nD. They stay\nAnswer:"
        )

    def test_task_files_name_the_absolute_path_of_the_data_or_what_is_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for folder, data in ((None, f"{tmp_path}/{NODES}"), ("/mnt/eval", "/mnt/eval")):
            mmlu_files({BIRDS: rows_from_objects([row("A")])}, "", SUFFIX, data_folder=folder)
            task = yaml.safe_load((tmp_path / NODES / f"{BIRDS}_task.yaml").read_text())
            files = task["dataset_kwargs"]["data_files"]
            assert files == {"test": f"{data}/mmlubench_{BIRDS}.jsonl"}

    def test_rows_that_cannot_be_asked_are_rejected_with_their_reason(self, tmp_path: Path) -> None:
        rows = [
            row("B)"),
            row("E) By boat"),
            row(None),
            row("A", None),
            row("A", "Which?\nA) 1\nB) 2\nC) 3"),
            row("A", "Which?\nA) 1\nB) 1\nC) 3\nD) 4"),
            row("D"),
        ]
        books = write(tmp_path, rows)
        assert (books.rows_in, books.used, len(books.rejections)) == (7, 2, 5)
        assert books.files == {f"mmlubench_{BIRDS}.jsonl": 2}
        reasons = {"answer": 2, "choices": 1, "equal_choices": 1, "no_question": 1}
        assert books.rejected_by_reason == reasons
        assert [r.row for r in books.rejections] == rows[1:6]
        assert "'E) By boat'" in books.rejected_rows()[0]["rejected_message"]

    def test_a_leaf_without_a_question_has_no_files(self, tmp_path: Path) -> None:
        books = write(tmp_path, [row("E")])
        assert (books.used, books.files) == (0, {})
        assert not (tmp_path / NODES).exists()
        assert mmlu_files({}, tmp_path, SUFFIX) == ()

    def test_a_leaf_whose_name_leads_elsewhere_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot be the name of a file"):
            mmlu_files({"a/b": rows_from_objects([row("A")])}, tmp_path, SUFFIX)


class TestAnswers:
    @pytest.mark.parametrize(
        "answer",
        [
            "B",
            "b",
            "B)",
            "(B)",
            "b.",
            "B:",
            " B) By train ",
            "B) by  train.",
            "B) It goes by train",
            "B By train",
            "By train",
            "by train.",
            "**B)** By train",
            "Answer: B",
            "The correct answer is B) By train",
        ],
    )
    def test_what_names_one_choice_is_understood(self, answer: str) -> None:
        assert parse_answer(answer, CHOICES) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            "",
            "E",
            "E) By boat",
            "By boat",
            "B) By bus",
            "A) or B)",
            "A) and C) are right",
            "A, B",
            "BC",
            "A boat",
            "Because of the bus",
        ],
    )
    def test_what_names_none_or_several_is_not(self, answer: str) -> None:
        assert parse_answer(answer, CHOICES) is None

    def test_a_letter_that_is_another_choice_s_text_is_doubtful(self) -> None:
        vitamins = ("D", "K", "A", "E")
        assert parse_answer("D", vitamins) is None
        assert parse_answer("D) E", vitamins) == 3
        assert parse_answer("K", vitamins) == 1

    def test_a_choice_that_begins_like_a_letter_is_known_by_its_words(self) -> None:
        assert parse_answer("A cat", ("A dog", "A cat", "A bee", "A cow")) == 1

    @given(st.text(max_size=40))
    def test_any_text_gives_a_choice_or_nothing(self, answer: str) -> None:
        assert parse_answer(answer, CHOICES) in (None, 0, 1, 2, 3)


class TestQuestions:
    @pytest.mark.parametrize(
        "text",
        [
            QUESTION,
            QUESTION.replace("\n\n", "\n"),
            QUESTION.replace(")", "."),
            "How do swifts travel?\n(A) By bus\n(B) By train\n(C) On foot\n(D) They stay\n",
            "How do swifts travel?\n- **A)** By bus\n- **B)** By train\n- **C)** On foot\n"
            "- **D)** They stay",
            "How do swifts travel? A) By bus B) By train C) On foot D) They stay",
            QUESTION.replace("\n", "\r\n"),
        ],
    )
    def test_four_choices_are_found(self, text: str) -> None:
        question = parse_question(text)
        assert question is not None
        assert question.text == "How do swifts travel?"
        assert question.choices == CHOICES

    def test_a_question_may_begin_like_a_choice(self) -> None:
        question = parse_question("E. coli is what?\nA) 1\nB) 2\nC) 3\nD) 4")
        assert question is not None
        assert question.text == "E. coli is what?"

    @pytest.mark.parametrize(
        "text",
        [
            "How do swifts travel?",
            "A) By bus\nB) By train\nC) On foot\nD) They stay",
            QUESTION.replace("\nD) They stay", ""),
            QUESTION + "\nE) By boat",
            QUESTION.replace("B)", "C)"),
            QUESTION.replace("By train", ""),
            QUESTION + "\n\nThe right answer is B.",
            QUESTION + "\n" + QUESTION,
        ],
    )
    def test_anything_else_is_no_question(self, text: str) -> None:
        assert parse_question(text) is None

    @given(st.text(max_size=80))
    def test_any_text_is_a_question_or_none(self, text: str) -> None:
        question = parse_question(text)
        assert question is None or all(question.choices)
