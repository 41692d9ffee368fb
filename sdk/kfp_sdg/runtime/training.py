"""The task that the InstructLab workflow ends with: generated rows become training data."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SdgError, SpecError
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.runtime.artifacts import (
    read_artifact,
    write_artifact,
    write_parameter,
    write_text,
)
from kfp_sdg.runtime.console import WARNING, plain_console, say
from kfp_sdg.runtime.json_setting import json_setting
from kfp_sdg.runtime.training_report import training_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from kfp_sdg.engine import RunResult
    from kfp_sdg.instructlab.generate import Generated
    from kfp_sdg.instructlab.mixing import Mixed
    from kfp_sdg.instructlab.preprocess import Preprocessed
    from kfp_sdg.runtime.artifacts import Artifact, MetricsArtifact

_INSTRUCTIONS = 'a JSON object such as {"spellcheck": ["Correct the text."]}'
_SUFFIX_FORMAT = "%Y-%m-%dT%H_%M_%S"
_MOST_EMPTY = 50
"""So many leaves a parameter of KFP names, whose size is limited."""


def postprocess_taxonomy(
    *,
    leaves: Artifact,
    seed_rows: Artifact,
    knowledge: Artifact,
    freeform_skills: Artifact,
    grounded_skills: Artifact,
    evaluation: Artifact,
    training_data: Artifact,
    knowledge_train: Artifact,
    skills_train: Artifact,
    empty_leaves: str,
    metrics: MetricsArtifact,
    report: Artifact,
    auxiliary_instructions: str = "{}",
    system_prompt: str = "",
    skills_sampling_size: str = "30",
    seed: int = 42,
    date_suffix: str = "",
) -> None:
    """Turn generated rows into training data: the body of the postprocess component.

    Args:
        leaves: The folder with the first rows by leaf, as preprocess gives it.
        seed_rows: The questions and answers of all seed examples.
        knowledge: What the pipeline for knowledge generated.
        freeform_skills: What the pipeline for freeform skills generated.
        grounded_skills: What the pipeline for grounded skills generated.
        evaluation: The questions about documents.
        training_data: Where the folder with InstructLab's files goes.
        knowledge_train: Where the mixed messages of knowledge go.
        skills_train: Where the mixed messages of skills go.
        empty_leaves: The file that takes the leaves that nothing came of, and why.
        metrics: Takes the number of leaves, generated rows and training rows.
        report: Where the Markdown page about the leaves goes.
        auxiliary_instructions: JSON object of lists of instructions, by dataset type.
        system_prompt: What the system says in training rows; "" for a general text.
        skills_sampling_size: How much of each skill leaf goes into the mix, see
            ``sampling_size_of``.
        seed: The seed of what is chosen by chance.
        date_suffix: What the files' names end in; "" for the time now.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong. Leaves that nothing
            came of are nothing wrong yet, see ``check_leaves``.
    """
    from kfp_sdg.instructlab.mixing import DEFAULT_SYSTEM_PROMPT, TrainingSettings
    from kfp_sdg.instructlab.outcome import empty_leaves as empty_leaves_of
    from kfp_sdg.instructlab.postprocess import write_test_file
    from kfp_sdg.instructlab.preprocess import read_preprocessed, write_preprocessed
    from kfp_sdg.instructlab.results import write_results
    from kfp_sdg.instructlab.run_folder import RunFolder

    with plain_console():
        settings = TrainingSettings(
            system_prompt=system_prompt or DEFAULT_SYSTEM_PROMPT,
            auxiliary_instructions=json_setting(
                "auxiliary_instructions", auxiliary_instructions, dict, _INSTRUCTIONS
            ),
            skills_sampling_size=sampling_size_of(skills_sampling_size),
            seed=int(seed),
        )
        suffix = suffix_of(date_suffix)
        folder = Path(training_data.path)
        first = read_preprocessed(leaves.path)
        write_preprocessed(first, folder / f"preprocessed_{suffix}")
        made = {
            LeafKind.KNOWLEDGE: knowledge,
            LeafKind.FREEFORM: freeform_skills,
            LeafKind.GROUNDED: grounded_skills,
        }
        generated = _generated(first, made, evaluation)
        write_test_file(_with_system(seed_rows, settings.system_prompt), folder, suffix)
        results = write_results(
            generated,
            folder,
            suffix,
            settings,
            # A folder of this pod; whoever has the artifact has the files beside the task files.
            data_folder=f"node_datasets_{suffix}",
        )
        for name, books in (("training", results.training), ("evaluation", results.evaluation)):
            rejected = (row for leaf in books for row in leaf.rejected_rows())
            RunFolder(folder, suffix).write_rejected(name, rejected)
        mixes = {"knowledge": knowledge_train, "skills": skills_train}
        shown: dict[str, pa.Table] = {}
        numbers = {
            "leaves": len(results.leaves),
            "empty_leaves": sum(leaf.is_empty for leaf in results.leaves),
            "generated_rows": sum(leaf.generated for leaf in results.leaves),
            "rows_in_training_data": sum(leaf.used or 0 for leaf in results.leaves),
            "test_questions": sum(leaf.questions or 0 for leaf in results.leaves),
        }
        for name, artifact in mixes.items():
            mixed = results.mixes.get(name)
            rows = _rows_of(mixed)
            if mixed and rows.num_rows:
                shown[mixed.output.name] = rows
            write_artifact(artifact, rows, ())
            numbers[f"{name}_train_rows"] = rows.num_rows
        training_data.metadata.update(date_suffix=suffix, **numbers)
        for name, value in numbers.items():
            metrics.log_metric(name, value)
        write_text(report, training_report(results.leaves, numbers, shown))
        say("postprocess: " + ", ".join(f"{name} {value:,}" for name, value in numbers.items()))
        write_parameter(empty_leaves, empty_leaves_of(results.leaves, most=_MOST_EMPTY))


def check_leaves(*, empty_leaves: str, allow_empty: bool = False) -> None:
    """Fail where nothing came of a leaf: the body of the check_leaves component.

    Args:
        empty_leaves: What postprocess says about such leaves; "" where there are none.
        allow_empty: Do not fail.

    Raises:
        SystemExit: With status 1, after a paragraph about the leaves.
    """
    from kfp_sdg.instructlab.outcome import what_may_help

    with plain_console():
        if empty_leaves and not allow_empty:
            raise SdgError(
                f"{empty_leaves}\n{what_may_help('allow_empty')}. The training data of all other "
                "leaves and the report are there, as outputs of postprocess."
            )
        for line in empty_leaves.splitlines():
            say(f"{WARNING}{line}")
        if not empty_leaves:
            say("check: something came of every leaf")


def sampling_size_of(text: str) -> int | float:
    """Return how much of a dataset is meant: a number of rows, or a share of them.

    Raises:
        SpecError: The text is neither.
    """
    from kfp_sdg.instructlab.mixing import parse_sampling_size

    try:
        return parse_sampling_size(text.strip())
    except ValueError:
        problem = Problem(
            f"{text!r} is neither a number of rows nor a share of them",
            Position("skills_sampling_size"),
            expected="a number of rows such as 30, or a share such as 0.5 (1.0 is all rows)",
        )
        raise SpecError(problem) from None


def suffix_of(given: str) -> str:
    """Return what the files' names end in.

    Args:
        given: What the run says; "" for the time now.

    Raises:
        SpecError: It would lead into other folders.
    """
    suffix = given.strip() or datetime.now(UTC).strftime(_SUFFIX_FORMAT)
    if not re.fullmatch(r"[\w.+-]+", suffix):
        problem = Problem(
            f"{suffix!r} cannot end the name of a file",
            Position("date_suffix"),
            expected="letters, digits, '-', '_', '+' and '.', such as 2026-01-31T12_00_00",
        )
        raise SpecError(problem)
    return suffix


def _generated(
    first: Preprocessed, made: Mapping[LeafKind, Artifact], evaluation: Artifact
) -> Generated:
    """Return what the pipelines generated, as one process would have it."""
    from kfp_sdg.instructlab.generate import Generated, rows_by_leaf

    asked = _result(evaluation)
    return Generated(
        {kind: rows_by_leaf(first.table(kind)) for kind in first.kinds},
        {kind: _result(made[kind]) for kind in first.kinds},
        asked if asked.history else None,
    )


def _result(artifact: Artifact) -> RunResult:
    from kfp_sdg.engine import RunResult

    rows, history = read_artifact(artifact)
    return RunResult(rows, history=history)


def _with_system(seed_rows: Artifact, system_prompt: str) -> pa.Table:
    import pyarrow as pa

    rows, _ = read_artifact(seed_rows)
    return rows.append_column("system", pa.array([system_prompt] * rows.num_rows, pa.string()))


def _rows_of(mixed: Mixed | None) -> pa.Table:
    """Return the rows of a mix; none where nothing was mixed."""
    import pyarrow as pa

    from kfp_sdg.storage import read_rows

    return read_rows(mixed.output) if mixed and mixed.rows else pa.table({})
