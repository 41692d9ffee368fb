"""The FilterByValueBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def filter_by_value(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    filter_column: str,
    filter_value: str,
    operation: str,
    convert_dtype: str = "",
    default_value: str = "",
    block_name: str = "filter_by_value",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
):
    """Keep the rows whose column compares well with a value.

    A row is kept where the comparison holds for at least one of the values.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        filter_column: Column to compare.
        filter_value: JSON value to compare with, or a JSON list of values.
        operation: Comparison: eq, ne, lt, le, gt, ge, contains, ...
        convert_dtype: Convert the column first: int, float or bool.
        default_value: JSON value of cells that cannot be converted.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("FilterByValueBlock", **inputs)
