"""A dataset without rows as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def empty(output_rows: dsl.Output[dsl.Dataset], reason: str = "there is nothing to do"):
    """Give a dataset without rows, for a branch that has nothing to do.

    Args:
        output_rows: A dataset without rows and columns.
        reason: Why there are no rows, for the log.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.datasets import empty_rows

    empty_rows(**inputs)
