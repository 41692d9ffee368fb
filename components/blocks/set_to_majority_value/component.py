"""The SetToMajorityValueBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def set_to_majority_value(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    col_name: str,
    block_name: str = "set_to_majority_value",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
):
    """Set a column to the value that most rows of the dataset have.

    Cells without a value do not count; of equally frequent values the smallest wins.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        col_name: Column to set.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("SetToMajorityValueBlock", **inputs)
