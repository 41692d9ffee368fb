"""Tasks that no block does: read a pipeline's first rows, put datasets together, give none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError
from kfp_sdg.runtime.artifacts import read_artifact, read_place, write_artifact, write_text
from kfp_sdg.runtime.console import plain_console, say
from kfp_sdg.runtime.preview import dataset_preview

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from kfp_sdg.runtime.artifacts import Artifact, MetricsArtifact
    from kfp_sdg.storage import HistoryEntry


def load_rows(
    *,
    input_uri: str,
    seed_samples: str,
    output_rows: Artifact,
    metrics: MetricsArtifact,
    preview: Artifact,
) -> None:
    """Read the first rows of a pipeline: the body of the load component.

    Args:
        input_uri: A file or dataset folder, on disk or as a URL; "" for none.
        seed_samples: JSON list of rows, each an object; "" for none.
        output_rows: Where the rows go.
        metrics: Takes the number of rows and columns.
        preview: Where the Markdown page goes.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    with plain_console():
        if bool(input_uri.strip()) == bool(seed_samples.strip()):
            raise StorageError(
                "the pipeline has two places to start from: give either input_uri or seed_samples, "
                "and leave the other empty"
                if input_uri.strip()
                else "the pipeline has no rows to start from: give input_uri (a file or dataset "
                "folder) or seed_samples (a JSON list of rows)"
            )
        if input_uri.strip():
            rows, history = read_place(input_uri.strip())
        else:
            rows, history = _inline_rows(seed_samples), ()
        _write("load", rows, history, output_rows, metrics, preview)


def merge_rows(
    *,
    datasets: Sequence[Artifact],
    output_rows: Artifact,
    metrics: MetricsArtifact,
    preview: Artifact,
) -> None:
    """Put datasets together, one after the other: the body of the merge component.

    Args:
        datasets: The datasets in order. A column that only some have is null in the others' rows.
        output_rows: Where the rows go. Their history has the entries of all datasets in order; an
            entry that several share (they were one dataset once) stands there once.
        metrics: Takes the number of rows and columns.
        preview: Where the Markdown page goes.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    with plain_console():
        stored = [read_artifact(artifact) for artifact in datasets]
        history: list[HistoryEntry] = []
        for _, entries in stored:
            history += [entry for entry in entries if entry not in history]
        rows = concatenated([table for table, _ in stored])
        _write("merge", rows, history, output_rows, metrics, preview)


def empty_rows(*, output_rows: Artifact, reason: str) -> None:
    """Give a dataset without rows: the body of the empty component.

    Args:
        output_rows: Where it goes.
        reason: Why there are no rows.

    Raises:
        SystemExit: With status 1, after one paragraph about what went wrong.
    """
    import pyarrow as pa

    with plain_console():
        write_artifact(output_rows, pa.table({}), ())
        say(f"no rows: {reason}")


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables, with the columns of all of them.

    Raises:
        StorageError: There is no table, or a column has types that do not go together.
    """
    import pyarrow as pa

    if not tables:
        raise StorageError("there are no datasets to put together")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowInvalid as error:
        raise StorageError(f"the datasets do not go together: {error}") from None
    except pa.ArrowTypeError as error:
        raise StorageError(
            f"the datasets do not go together, a column has different types in them: {error}"
        ) from None


def _inline_rows(text: str) -> pa.Table:
    """Return rows that were written out in the run form."""
    from kfp_sdg.storage import rows_from_objects

    expected = "expected a JSON list of objects with the same keys"
    try:
        objects = json.loads(text)
    except ValueError as error:
        raise StorageError(f"seed_samples is not JSON ({error}); {expected}") from None
    if not isinstance(objects, list) or not objects:
        raise StorageError(f"seed_samples holds no rows; {expected}")
    return rows_from_objects(objects, source="seed_samples")


def _write(
    name: str,
    rows: pa.Table,
    history: Sequence[HistoryEntry],
    output_rows: Artifact,
    metrics: MetricsArtifact,
    preview: Artifact,
) -> None:
    write_artifact(output_rows, rows, history)
    metrics.log_metric("rows", rows.num_rows)
    metrics.log_metric("columns", rows.num_columns)
    write_text(preview, dataset_preview(name, rows))
    say(f"{name}: {rows.num_rows:,} rows with the columns {', '.join(rows.column_names)}")
