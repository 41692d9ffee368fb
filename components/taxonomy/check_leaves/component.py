"""The end of a workflow that a leaf gave nothing to as a component."""

from kfp import dsl


@dsl.component(base_image="ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0", install_kfp_package=False)
def check_leaves(empty_leaves: str, allow_empty: bool = False):
    """Fail where nothing came of a leaf, with the reasons, unless that is allowed.

    KFP keeps nothing of what a task wrote that fails. So postprocess succeeds, its training data
    and its report are there, and this task fails after it.

    Args:
        empty_leaves: The leaves that nothing came of and why, as postprocess gives them.
        allow_empty: Do not fail for such leaves.
    """
    inputs = dict(locals())
    from kfp_sdg.runtime.training import check_leaves as check

    check(**inputs)
