"""The SelectorBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def selector(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    choice_map: str,
    choice_col: str,
    output_col: str,
    block_name: str = "selector",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
    max_rejected: str = "5%",
):
    """Copy the column that another column chooses.

    The choice column's value is looked up in the map, and the cell of that column is copied.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        choice_map: JSON object: value of the choice column to column to copy.
        choice_col: Column that chooses.
        output_col: New column for the chosen cell.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
        max_rejected: Most rows that may be rejected: 5% (but at least 20), or a number.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("SelectorBlock", **inputs)
