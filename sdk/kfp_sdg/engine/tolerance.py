"""How many rows a block may reject before the run is stopped: ``max_rejected``."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.errors import BlockError, Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks import Rejection
    from kfp_sdg.spec import BlockSpec

LEAST = 20
"""A share of few rows would stop a run for one bad answer; so many rows may always be rejected."""

_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is tolerated.

    Attributes:
        text: The setting as the user wrote it.
        share: The share of a block's rows, from 0 to 1; None where a number was given.
        number: The number of rows; None where a share was given.
    """

    text: str
    share: float | None = None
    number: int | None = None

    @classmethod
    def read(cls, text: str) -> Tolerance:
        """Return what a setting says.

        Args:
            text: A share of a block's rows ("5%") or a number of rows ("50"). "0%" is the number 0.

        Raises:
            SpecError: It is neither.
        """
        text = str(text).strip()
        share = _SHARE.fullmatch(text)
        if share and not float(share[1]):
            return cls(text, number=0)
        if share and float(share[1]) <= 100:
            return cls(text, share=float(share[1]) / 100)
        if re.fullmatch(r"\d+", text):
            return cls(text, number=int(text))
        raise SpecError(
            Problem(
                f"{text!r} does not say how many rows a block may reject",
                Position("--max-rejected"),
                expected='a share of the block\'s rows from "0%" to "100%", or a number of rows',
                code="wrong-setting",
            )
        )

    def allowed(self, rows: int) -> float:
        """Return how many rows may be rejected.

        Args:
            rows: What the block works on: its input rows and those that it adds.
        """
        if self.number is not None:
            return self.number
        if self.share is None or self.share >= 1:
            return math.inf
        return max(self.share * rows, LEAST)

    def exceeded(
        self, block_spec: BlockSpec, rejections: Sequence[Rejection], rejected: int, rows: int
    ) -> BlockError:
        """Return the error of a block that rejected too many rows.

        Args:
            block_spec: The block's entry in the pipeline.
            rejections: Those of its rejections that are known; tell why.
            rejected: How many rows it rejected.
            rows: What it works on.
        """
        reasons = Counter(rejection.reason for rejection in rejections)
        told = ", ".join(f"{reason} {n:,}" for reason, n in sorted(reasons.items()))
        example = ""
        if reasons:
            [(most, _)] = reasons.most_common(1)
            example = next(r.message for r in rejections if r.reason == most)
            example = f" ({told}; for example: {example})"
        least = f", which allows {LEAST} rows at least" if self.share is not None else ""
        return BlockError(
            f"{rejected:,} of {rows:,} rows were rejected{example}, above --max-rejected "
            f"{self.text}{least}, so the run stops. Nothing is lost: mend what is wrong, or raise "
            "--max-rejected, and run the same again",
            block_name=block_spec.name,
            block_type=block_spec.type,
        )
