"""Training rows of a skill: everything that is known of a generated row, and its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.instructlab.mixing.messages import Ids, message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kfp_sdg.instructlab.mixing.pairs import Pair


def skill_rows(leaf: str, pairs: Iterable[Pair], system_prompt: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a skill's file.

    Args:
        leaf: The leaf's name.
        pairs: What its generated rows teach.
        system_prompt: What the system says in every row.
    """
    ids = Ids(leaf, "skill")
    for pair in pairs:
        yield {
            **pair.row,
            "id": ids.of(pair.user, pair.answer),
            "messages": [
                message("system", system_prompt),
                message("user", pair.user),
                message("assistant", pair.answer),
            ],
            "unmask": False,
        }
