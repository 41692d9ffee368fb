"""The RenameColumnsBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def rename_columns(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    columns_map: str,
    block_name: str = "rename_columns",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
):
    """Rename columns, all at once, so that swaps work.

    A new name that is taken already is an error.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        columns_map: JSON object: existing column to its new name.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("RenameColumnsBlock", **inputs)
