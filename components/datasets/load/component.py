"""The first rows of a pipeline as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def load(
    output_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
    input_uri: str = "",
    seed_samples: str = "",
):
    """Read the first rows of a pipeline from a file or from the run form.

    Exactly one of the two inputs says where the rows are.

    Args:
        output_rows: The rows that were read.
        metrics: How many rows and columns there are.
        preview: Counts and the first rows, for the dashboard.
        input_uri: Address of a .jsonl, .json, .csv or .parquet file or of a dataset folder.
        seed_samples: JSON list of rows, each an object with the same keys.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.datasets import load_rows

    load_rows(**inputs)
