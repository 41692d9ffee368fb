"""Which model a block asks and in which chat format: the block's word and the run's."""

from __future__ import annotations

from collections.abc import Callable


def chosen_model(
    *,
    insisted: str | None,
    own: str | None,
    run: str | None,
    has_endpoint: Callable[[str], bool],
) -> str | None:
    """Return the model that a block asks; None where nobody names one.

    Args:
        insisted: The model of the block's ``gen_kwargs``, which comes first.
        own: The block's ``model_id``.
        run: The run's model, which comes before the block's own.
        has_endpoint: Whether the run names a server for a model; then the block keeps it.
    """
    kept = own if own and has_endpoint(own) else None
    return insisted or kept or run or own


def run_family_for(
    model: str | None,
    *,
    run_model: str | None,
    run_family: str | None,
    has_endpoint: Callable[[str], bool],
) -> str | None:
    """Return the run's chat format for a block's model; None where it is not meant for that model.

    Args:
        model: The model that the block asks.
        run_model: The run's model.
        run_family: The run's chat format, which is its model's.
        has_endpoint: Whether the run names a server for a model.
    """
    if run_model and model and run_model != model and has_endpoint(model):
        return None
    return run_family
