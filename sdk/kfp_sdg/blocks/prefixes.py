"""In which order to send prompts, so that a server's prefix cache finds what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def neighbours_first(prompts: Sequence[str]) -> list[int]:
    """Return the order in which prompts are sent: those that begin alike follow each other.

    vLLM keeps the keys and values of blocks of tokens for later prompts that begin with the same
    ones (https://docs.vllm.ai/en/latest/design/prefix_caching.html), as long as there is room. Two
    prompts count as alike when they share half of the longer one: what all prompts of a block
    share, its instructions, is in the cache anyway. Everything else keeps its place, since rows
    come out in their order and a row sent late keeps back those after it.

    Args:
        prompts: The prompts, in the order of the rows.

    Returns:
        Their indices.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(prompts)), key=prompts.__getitem__):
        if groups and _are_alike(prompts[groups[-1][-1]], prompts[index]):
            groups[-1].append(index)
        else:
            groups.append([index])
    for group in groups:
        group.sort()
    return [index for group in sorted(groups) for index in group]


def _are_alike(one: str, other: str) -> bool:
    half = max(len(one), len(other)) // 2
    return one[:half] == other[:half]
