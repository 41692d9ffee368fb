"""The life of a block's task: read rows, run the block, write rows, metrics and a preview."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.catalog import block_class, load_plugins
from kfp_sdg.engine import run_block
from kfp_sdg.errors import BlockError
from kfp_sdg.runtime.artifacts import read_artifact, write_artifact, write_text
from kfp_sdg.runtime.console import plain_console, say
from kfp_sdg.runtime.encoding import config_inputs, decode_config
from kfp_sdg.runtime.files import decode_files
from kfp_sdg.runtime.preview import block_preview
from kfp_sdg.runtime.progress import PlainProgress
from kfp_sdg.runtime.teacher import TeacherInputs
from kfp_sdg.spec.model import BlockSpec, PipelineSpec

if TYPE_CHECKING:
    from kfp_sdg.runtime.artifacts import Artifact, MetricsArtifact
    from kfp_sdg.storage import HistoryEntry


@dataclass(frozen=True, slots=True)
class TaskInputs:
    """The inputs and outputs that components of all block types have in common, by their names.

    Attributes:
        rows: The input rows.
        output_rows: Where the output rows go, with the books of every block so far.
        rejected_rows: Where the rejected rows go.
        metrics: Takes the block's counts.
        preview: Where the Markdown page goes.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns of which no two output rows may agree.
        max_rejected: How many rows the block may reject: "5%" (but at least 20 rows), "50".
        files: JSON object of the files that the block's settings name, by their path.
        plugins: JSON list of Python modules that register block types.
    """

    rows: Artifact
    output_rows: Artifact
    rejected_rows: Artifact
    metrics: MetricsArtifact
    preview: Artifact
    block_name: str
    drop_columns: str = "[]"
    drop_duplicates: str = "[]"
    max_rejected: str = "5%"
    files: str = "{}"
    plugins: str = "[]"

    def block(self, block_type: str, config: dict[str, Any]) -> BlockSpec:
        """Return the block's entry in a pipeline."""
        return BlockSpec(
            self.block_name,
            block_type,
            config,
            drop_columns=self.names("drop_columns"),
            drop_duplicates=self.names("drop_duplicates"),
        )

    def names(self, name: str) -> tuple[str, ...]:
        """Return the texts of an input that is a JSON list.

        Args:
            name: The input's name.

        Raises:
            BlockError: It is something else.
        """
        text = getattr(self, name)
        values = _json(name, text, self.block_name)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise BlockError(
                f"component input {name!r} must be a JSON list of texts, not {text}",
                block_name=self.block_name,
            )
        return tuple(values)


def run_block_task(block_type: str, /, **inputs: Any) -> None:
    """Run a block as a task: the whole body of a component.

    Args:
        block_type: The registered type of the block.
        **inputs: The component's inputs and outputs: those of ``TaskInputs``, of ``TeacherInputs``
            where the block asks a teacher, and one for each of the block's settings.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    with plain_console():
        task = TaskInputs(**_taken(TaskInputs, inputs))
        teacher_inputs = _taken(TeacherInputs, inputs)
        if teacher_inputs:  # a chat format may be a plugin's
            load_plugins(task.names("plugins"))
        settings = config_inputs(block_class(block_type))
        config = decode_config(inputs, settings, block_name=task.block_name)
        _run(task, TeacherInputs(**teacher_inputs), block_type, config)


def run_custom_task(*, block_type: str, config: str, **inputs: Any) -> None:
    """Run a block of any type, its settings in one input: the body of the custom component.

    Args:
        block_type: The registered type of the block, which may be a plugin's.
        config: JSON object of the block's settings.
        **inputs: The component's other inputs and outputs, as for ``run_block_task``.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    with plain_console():
        task, teacher = TaskInputs(**_taken(TaskInputs, inputs)), TeacherInputs(**inputs)
        settings = _json("config", config, task.block_name)
        if not isinstance(settings, dict):
            raise BlockError(
                f"component input 'config' must be a JSON object, not {config}",
                block_name=task.block_name,
            )
        load_plugins(task.names("plugins"))
        _run(task, teacher, block_type, settings)


def metrics_of(entry: HistoryEntry) -> dict[str, float]:
    """Return the numbers of a block's books that a dashboard shows, by their names.

    Args:
        entry: The books.

    Returns:
        Under the names they have in the books, in rows: ``rows_in``, ``rows_out``, ``added``,
        ``filtered``, ``duplicates``, ``rejected``, and ``parse_failures``, the rejected ones whose
        answer could not be parsed; in requests: ``requests``, ``journal_hits``, ``retries``, and
        ``retries_<cause>`` for each cause that occurred ("retries_429"); in tokens:
        ``prompt_tokens``, ``completion_tokens``; in seconds: ``wait_seconds``, ``latency_p50``,
        ``latency_p95``, ``latency_p99``, ``seconds``.
    """
    return {
        "rows_in": entry.rows_in,
        "rows_out": entry.rows_out,
        "added": entry.added,
        "filtered": entry.filtered,
        "duplicates": entry.duplicates,
        "rejected": entry.rejected,
        "parse_failures": entry.rejected_by_reason.get("parse", 0),
        "requests": entry.requests,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "retries": entry.retries,
        **{f"retries_{cause}": count for cause, count in entry.retries_by_cause.items()},
        "journal_hits": entry.journal_hits,
        "wait_seconds": round(entry.wait_seconds, 3),
        "latency_p50": round(entry.latency_p50, 4),
        "latency_p95": round(entry.latency_p95, 4),
        "latency_p99": round(entry.latency_p99, 4),
        "seconds": round(entry.seconds, 3),
    }


def _run(task: TaskInputs, teacher: TeacherInputs, block_type: str, config: dict[str, Any]) -> None:
    """Read the rows, run the block, write everything that comes of it."""
    block = task.block(block_type, config)
    pipe = PipelineSpec((block,), decode_files(task.files, block_name=task.block_name))
    rows, history = read_artifact(task.rows)
    say(f"{task.block_name}: {rows.num_rows:,} rows in")
    progress = PlainProgress()
    with teacher.context(
        task.block_name, max_rejected=task.max_rejected, outage_watcher=progress
    ) as context:
        outcome = run_block(block, pipe, rows, context, observer=progress)
    entry, history = outcome.entry, (*history, outcome.entry)
    write_artifact(task.output_rows, outcome.rows, history)
    write_artifact(task.rejected_rows, outcome.rejected, history)
    write_text(
        task.preview, block_preview(entry, outcome.rows, outcome.rejected, rows.column_names)
    )
    numbers = metrics_of(entry)
    for name, value in numbers.items():
        task.metrics.log_metric(name, value)
    say(f"{task.block_name}: " + ", ".join(f"{name} {value:,}" for name, value in numbers.items()))


def _taken(kind: type, inputs: dict[str, Any]) -> dict[str, Any]:
    """Take the inputs that a data class has fields for out of all inputs."""
    return {field.name: inputs.pop(field.name) for field in fields(kind) if field.name in inputs}


def _json(name: str, text: str, block_name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BlockError(
            f"component input {name!r} is not JSON ({error}): {text}", block_name=block_name
        ) from None
