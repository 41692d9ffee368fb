"""Knowledge is not drowned by a large set of skills that is mixed in from a default recipe."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.instructlab.mixing.sampling import sampled_rows
from kfp_sdg.storage.places import open_binary

if TYPE_CHECKING:
    from kfp_sdg.instructlab.mixing.recipe import Recipe

LEAST_SHARE = Decimal("0.03")
"""A knowledge leaf has at least so many rows in the mix of skills, as a part of the rows that
default recipes bring."""


def rows_of_recipe(recipe: Recipe) -> int:
    """Return how many rows a recipe asks for.

    Raises:
        SpecError: A dataset is not there.
        StorageError: A dataset cannot be read.
    """
    total = 0
    for dataset in recipe.datasets:
        file = recipe.file(dataset)
        if not file.is_file():
            message = f"there is no such dataset: {file.absolute()}"
            raise SpecError(Problem(message, dataset.where, code="missing-file"))
        with open_binary(str(file)) as lines:
            rows = sum(1 for line in lines if line.strip())
        total += sampled_rows(rows, dataset.sampling_size)
    return total


def knowledge_size(rows: int, other_rows: int) -> int | float:
    """Return the sampling size of a knowledge leaf in the mix of skills.

    Args:
        rows: The leaf's rows for that mix.
        other_rows: The rows of the default recipe; 0 where there is none.

    Returns:
        1.0, or the count that they are upsampled to.
    """
    least = int(other_rows * LEAST_SHARE)
    return least if rows < other_rows * LEAST_SHARE else 1.0
