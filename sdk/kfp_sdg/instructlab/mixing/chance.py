"""Choices by chance that come out the same on every machine and every Python."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")

DEFAULT_SEED = 42


class Chance:
    """A source of choices that depends on its seed and on what the choices are for.

    Of Python's generator only ``random()`` is promised to stay as it is from one version to the
    next, so everything here is made from that.
    """

    def __init__(self, seed: int, *purpose: str) -> None:
        """Start a source.

        Args:
            seed: The run's seed.
            purpose: What the choices are for, so that two purposes do not choose alike.
        """
        text = "\0".join((str(seed), *purpose))
        self._random = random.Random(text).random  # noqa: S311  # sampling, no secret

    def happens(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return self._random() < probability

    def choose(self, items: Sequence[Item]) -> Item:
        """Return one of some items, of which there is at least one."""
        return items[self._below(len(items))]

    def sample(self, size: int, count: int) -> list[int]:
        """Return different numbers below ``size``, in any order.

        Args:
            size: How many numbers there are to choose from.
            count: How many are wanted; at most ``size``.
        """
        moved: dict[int, int] = {}  # the places of a shuffled list that no longer hold their number
        chosen = []
        for place in range(count):
            other = place + self._below(size - place)
            chosen.append(moved.get(other, other))
            moved[other] = moved.get(place, place)
        return chosen

    def _below(self, limit: int) -> int:
        return int(self._random() * limit)
