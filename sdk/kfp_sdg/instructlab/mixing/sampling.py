"""How many rows of a dataset go into a mix, and which.

No row comes twice before every row came once, and rows are never all in memory.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from kfp_sdg.errors import Position, Problem
from kfp_sdg.spec.phrases import describe_value, how_to_mend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kfp_sdg.instructlab.mixing.chance import Chance

Row = TypeVar("Row")


def is_sampling_size(value: object) -> TypeGuard[int | float]:
    """Tell whether a value can be a sampling size: a number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value >= 0 and math.isfinite(value)


def not_a_sampling_size(name: str, value: object, where: Position) -> Problem:
    """Return the problem of a value that cannot be a sampling size.

    Args:
        name: What it was given as.
        value: The value.
        where: Where it stands.
    """
    return Problem(
        f"{name!r} is {describe_value(value)}",
        where,
        expected="a count of rows such as 30, or a ratio such as 0.5 (1.0 is all rows)",
        suggestion=how_to_mend(value, {"type": "number"}),
        code="wrong-value",
    )


def parse_sampling_size(text: str) -> int | float:
    """Return the sampling size that a text means, as an option of a command or a task has it.

    Args:
        text: "30" is a count, "0.5" and "1.0" are ratios.

    Raises:
        ValueError: It is neither.
    """
    try:
        value: int | float = int(text)
    except ValueError:
        value = float(text)
    if not is_sampling_size(value):
        raise ValueError(f"{text!r} is not a sampling size")
    return value


def sampled_rows(rows: int, sampling_size: int | float) -> int:
    """Return how many rows a sampling size asks for.

    Args:
        rows: The dataset's rows.
        sampling_size: An int is a count, 1 too. A float is a ratio, 1.0 means all, and what it
            gives is rounded down.

    Returns:
        The count; 0 where there are no rows.
    """
    if isinstance(sampling_size, int):
        return sampling_size if rows else 0
    return int(rows * Decimal(repr(sampling_size)))  # as a product of floats, 100 * 0.29 gives 28


def sample(
    read: Callable[[], Iterable[Row]], rows: int, count: int, chance: Chance
) -> Iterator[Row]:
    """Yield a sample of a dataset: whole copies of it, as many as fit, then a part by chance.

    Args:
        read: Reads the dataset from its beginning.
        rows: How many rows it has.
        count: How many rows are wanted; 0 where it has none.
        chance: Chooses.
    """
    if not count:
        return
    copies, rest = divmod(count, rows)
    for _ in range(copies):
        yield from read()
    if rest:
        yield from _part(read(), rows, rest, chance)


def _part(dataset: Iterable[Row], rows: int, count: int, chance: Chance) -> Iterator[Row]:
    """Yield some rows in their order; every part of that size is as likely as any other.

    A row is taken with the probability that it needs so that exactly ``count`` are taken in the
    end (selection sampling, Knuth's algorithm S): nothing has to be known but two numbers.
    """
    for number, row in enumerate(dataset):
        if chance.happens(count / (rows - number)):
            yield row
            count -= 1
            if not count:
                return
