"""Several datasets put together as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def merge(
    datasets: dsl.Input[list[dsl.Dataset]],
    output_rows: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    preview: dsl.Output[dsl.Markdown],
):
    """Put several datasets together, one after the other.

    They are the collected results of a loop: `dsl.Collected(task.outputs["output_rows"])`. A column
    that only some of them have is empty in the rows of the others.

    Args:
        datasets: The datasets, in the order of their rows in the result.
        output_rows: The rows of all of them.
        metrics: How many rows and columns there are.
        preview: Counts and the first rows, for the dashboard.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.datasets import merge_rows

    merge_rows(**inputs)
