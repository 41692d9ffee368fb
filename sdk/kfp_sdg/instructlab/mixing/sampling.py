"""How many rows of a dataset go into a mix, and which.

No row comes twice before every row came once, and rows are never all in memory.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kfp_sdg.instructlab.mixing.chance import Chance

Row = TypeVar("Row")


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
