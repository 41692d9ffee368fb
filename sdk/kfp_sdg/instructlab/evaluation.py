"""Generated multiple-choice questions become evaluation data, one task of lm-eval for each leaf.

node_datasets_<suffix>/mmlubench_<leaf>.jsonl    the questions
node_datasets_<suffix>/<leaf>_task.yaml          how lm-eval asks them
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.leaf_books import LeafBooks
from kfp_sdg.instructlab.mixing.pairs import text_of
from kfp_sdg.instructlab.multiple_choice import parse_answer, parse_question
from kfp_sdg.storage.json_lines import write_json_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pyarrow as pa

    Row = Mapping[str, Any]

QUESTION = "mmlubench_question"
ANSWER = "mmlubench_answer"

_TAG = "mmlu_pr"
"""The group of tasks that InstructLab's evaluation asks lm-eval for."""

_PROMPT = (
    "{{question.strip()}}\n"
    "{% for choice in choices %}{{'ABCD'[loop.index0]}}. {{choice}}\n{% endfor %}"
    "Answer:"
)


def mmlu_files(
    leaves: Mapping[str, pa.Table],
    output_dir: str | os.PathLike[str],
    date_suffix: str,
    *,
    data_folder: str | None = None,
) -> tuple[LeafBooks, ...]:
    """Write evaluation data.

    Args:
        leaves: What the pipeline instructlab/eval/mmlu_bench made of each knowledge leaf's rows.
        output_dir: Where ``node_datasets_<suffix>`` is.
        date_suffix: What the folder's name ends in.
        data_folder: What task files call the folder with the questions. lm-eval looks for it from
            the folder that it is started in; so by default the name is the absolute path, and who
            moves the folder gives the new one.

    Returns:
        Where each leaf's rows went, leaves in order of their names. A leaf without a question that
        can be used has no files: lm-eval fails for an empty one.

    Raises:
        StorageError: A leaf's name cannot be that of a file, or the disk refuses.
    """
    folder = Path(output_dir) / f"node_datasets_{date_suffix}"
    named = str(folder.absolute()) if data_folder is None else data_folder
    return tuple(_write_leaf(name, leaves[name], folder, named) for name in sorted(leaves))


def _write_leaf(leaf: str, table: pa.Table, folder: Path, data_folder: str) -> LeafBooks:
    """Write the files of a leaf."""
    if Path(leaf).name != leaf:
        raise StorageError(f"the leaf name {leaf!r} cannot be the name of a file")
    asked = [_question_row(row) for row in table.to_pylist()]
    rows = [row for row in asked if not isinstance(row, Rejection)]
    rejections = tuple(row for row in asked if isinstance(row, Rejection))
    files = {}
    if rows:
        name = f"mmlubench_{leaf}.jsonl"
        files[name] = write_json_lines(folder / name, rows)
        _write_task(folder / f"{leaf}_task.yaml", leaf, f"{data_folder}/{name}")
    return LeafBooks(leaf, len(asked), len(rows), files, rejections)


def _question_row(row: Row) -> dict[str, Any] | Rejection:
    """Return a row as lm-eval asks it, or why it cannot be asked."""
    text, answer = text_of(row, QUESTION), text_of(row, ANSWER)
    if not text:
        return Rejection(row, "no_question", f"the column {QUESTION!r} has no text", answer)
    question = parse_question(text)
    if question is None:
        message = "the question has not exactly four choices, A) to D), each on one line"
        return Rejection(row, "choices", message, text)
    if len(set(question.choices)) < len(question.choices):
        return Rejection(row, "equal_choices", "two choices are the same", text)
    number = parse_answer(answer, question.choices)
    if number is None:
        message = f"the answer names none of the choices, or several: {answer!r}"
        return Rejection(row, "answer", message, answer)
    names = {"domain": "subject"}
    return {
        **{names.get(name, name): value for name, value in row.items()},
        "dataset_type": "mcq_qa",
        "answer": number,
        "choices": list(question.choices),
        "question": question.text,
    }


def _write_task(path: Path, task: str, data: str) -> None:
    """Write the file that tells lm-eval how to ask a leaf's questions."""
    import yaml

    content = {
        "task": task,
        "tag": _TAG,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": data}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": _PROMPT,
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    try:
        path.write_text(yaml.safe_dump(content, sort_keys=False, width=100), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
