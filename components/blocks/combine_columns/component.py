"""The CombineColumnsBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def combine_columns(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    columns: str,
    output_col: str,
    separator: str = '"\\n\\n"',
    block_name: str = "combine_columns",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
):
    """Join the texts of several columns into one new column.

    Cells without a value are left out.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        columns: JSON list of the columns to join, in order.
        output_col: New column for the joined text.
        separator: JSON text to put between two cells.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("CombineColumnsBlock", **inputs)
