"""The FlattenColumnsBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def flatten_columns(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    var_cols: str,
    value_name: str,
    var_name: str,
    block_name: str = "flatten_columns",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
):
    """Turn several columns of a row into several rows.

    Each row becomes one row per column, with the column's name and its value.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        var_cols: JSON list of the columns to flatten.
        value_name: New column for the values.
        var_name: New column for the names of the columns.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("FlattenColumnsBlock", **inputs)
