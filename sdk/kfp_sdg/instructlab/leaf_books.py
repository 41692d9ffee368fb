"""Where the rows of one leaf went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import REJECTED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.blocks.account import Rejection


@dataclass(frozen=True, slots=True)
class LeafBooks:
    """What became of a leaf's generated rows: ``rows_in == used + len(rejections)``.

    Attributes:
        leaf: The leaf's name.
        rows_in: Its generated rows.
        used: Those that something was made of.
        files: How many rows were written into each file of ``node_datasets``, by the file's name.
            One generated row of knowledge makes several training rows.
        rejections: The rows that could not be used, with the reason.
    """

    leaf: str
    rows_in: int
    used: int
    files: Mapping[str, int]
    rejections: tuple[Rejection, ...]

    @property
    def rejected_by_reason(self) -> dict[str, int]:
        """How many rows were rejected for each reason, reasons in alphabetical order."""
        return dict(sorted(Counter(r.reason for r in self.rejections).items()))

    def rejected_rows(self) -> list[dict[str, Any]]:
        """Return the rejected rows with the columns that say why."""
        return [
            {**r.row, **dict(zip(REJECTED_COLUMNS, (r.reason, r.message, r.answer), strict=True))}
            for r in self.rejections
        ]
