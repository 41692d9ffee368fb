"""How much to generate for each leaf, where leaves have scale factors of their own."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position
from kfp_sdg.instructlab.taxonomy.read import EVERYTHING
from kfp_sdg.spec.problems import Findings, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.instructlab.model import Leaf

logger = logging.getLogger(__name__)


def scale_of_leaves(
    leaves: Sequence[Leaf], factors: Mapping[str, int], *, base: str = EVERYTHING
) -> dict[str, int]:
    """Return the scale factors that leaves have of their own.

    Args:
        leaves: The leaves.
        factors: Scale factors by a leaf's path, its name, or a glob pattern of these. A whole path
            or name goes before a pattern, a later pattern before an earlier one.
        base: Since what the leaves have changed, see ``read_taxonomy``. Unless they are all that
            there are, a factor may be for one that has not changed; it is of no use then.

    Returns:
        Scale factors by the leaf's name, for those leaves that have one.

    Raises:
        SpecError: A factor is not a whole number from 1 up, or for a leaf that is not there.
    """
    findings = Findings()
    by_pattern: dict[str, int] = {}
    exact: dict[str, int] = {}
    for key, factor in factors.items():
        where = Position(f"scale factor of {key!r}")
        if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
            findings.error(
                where,
                f"{factor!r} is not a scale factor",
                code="scale-factor",
                expected="a whole number from 1 up",
            )
            continue
        names = [leaf.name for leaf in leaves if key.strip("/") in (leaf.path, leaf.name)]
        exact |= dict.fromkeys(names, factor)
        if not names:
            names = [leaf.name for leaf in leaves if _fits(leaf, key)]
            by_pattern |= dict.fromkeys(names, factor)
        if not names and base != EVERYTHING:
            logger.warning("the scale factor of %r is for no leaf that has changed", key)
        elif not names:
            words = [word for leaf in leaves for word in (leaf.path, leaf.name)]
            findings.error(
                where,
                "there is no such leaf",
                code="unknown-leaf",
                expected="the path or name of a leaf, or a pattern such as knowledge/*",
                suggestion=did_you_mean(key, words),
            )
    findings.raise_errors()
    return by_pattern | exact


def _fits(leaf: Leaf, pattern: str) -> bool:
    return fnmatchcase(leaf.path, pattern) or fnmatchcase(leaf.name, pattern)
