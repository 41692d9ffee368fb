"""The SamplePopulatorBlock as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def sample_populator(
    rows: dsl.Input[dsl.Dataset],
    output_rows: dsl.Output[dsl.Dataset],
    rejected_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    config_paths: str,
    column_name: str,
    post_fix: str = "",
    block_name: str = "sample_populator",
    drop_columns: str = "[]",
    drop_duplicates: str = "[]",
    max_rejected: str = "5%",
    files: str = "{}",
):
    """Add to each row the columns of the file that one of its cells names.

    Files are known by their name up to the first dot.

    Args:
        rows: The rows to work on.
        output_rows: The block's output rows.
        rejected_rows: Rows that could not be used, with the reason.
        metrics: Rows in and out, requests, tokens, seconds.
        preview: Counts and the first rows, for the dashboard.
        config_paths: JSON list of the files' paths among `files`.
        column_name: Column that names each row's file.
        post_fix: Read `x_<post_fix>.yaml` in the place of `x.yaml`.
        block_name: The block's name in the pipeline.
        drop_columns: JSON list of columns to drop from the output.
        drop_duplicates: JSON list of columns no two output rows may agree in.
        max_rejected: Most rows that may be rejected: 5% (but at least 20), or a number.
        files: JSON object of the files that the settings name, by their path.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.task import run_block_task

    run_block_task("SamplePopulatorBlock", **inputs)
