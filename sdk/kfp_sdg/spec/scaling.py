"""Numbers that follow a run's scale factor: ``n: scaled``, ``num_samples: scaled*5/3``.

The scale factor is how many instructions a person wants from each seed. A pipeline that says
``scaled`` leaves the number to the run; a share of it keeps a pipeline's own proportions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCALE_COLUMN = "num_instructions_to_generate"
"""The column with a row's own scale factor, named as the run's setting is; where there is none, or
the cell is null, the run's counts."""

SCALED = "scaled"
SCALED_PATTERN = r"^scaled( *\* *[1-9][0-9]{0,3})?( */ *[1-9][0-9]{0,3})?$"
SCALED_FORMS = "scaled (also scaled/3, scaled*5/3)"

_PLACES = (("gen_kwargs", "n"), ("batch_kwargs", "num_samples"))
_NUMBER = re.compile(r"[1-9]\d*")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, or a share of the scale factor.

    Attributes:
        times: The number; of a share, what the scale factor is multiplied by.
        per: What that is divided by.
        is_scaled: Whether it is a share.
    """

    times: int
    per: int = 1
    is_scaled: bool = False

    @classmethod
    def read(cls, value: object, name: str) -> Amount:
        """Read a setting.

        Args:
            value: A whole number from 1 (2.0, which JSON makes of 2, is one), or text as in
                ``SCALED_FORMS``.
            name: The setting's name, for the error.

        Raises:
            ValueError: It is neither.
        """
        if isinstance(value, str) and re.match(SCALED_PATTERN, value):
            found = [int(number) for number in _NUMBER.findall(value)]
            times = found.pop(0) if "*" in value else 1
            return cls(times, found[0] if found else 1, is_scaled=True)
        number = whole_number(value) if not isinstance(value, str) else None
        if number is None:
            raise ValueError(
                f"{name} is {value!r}; expected a whole number from 1, or {SCALED_FORMS}"
            )
        return cls(number)

    def of(self, scale: int) -> int:
        """Return the number: shares are rounded up, so it is at least 1.

        Args:
            scale: The scale factor.
        """
        return -(-scale * self.times // self.per) if self.is_scaled else self.times


def whole_number(value: object) -> int | None:
    """Return a whole number from 1, given as such, as a float, or as text; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):  # of infinity
        return None
    return number if number >= 1 and (isinstance(value, str) or number == value) else None


def scaled_settings(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a block's settings follow the scale factor: ``("gen_kwargs", "n")``.

    Args:
        config: The block's settings.
    """
    for section, key in _PLACES:
        if is_scaled((config.get(section) or {}).get(key)):
            yield section, key


def is_scaled(value: object) -> bool:
    """Tell whether a setting's value is a share of the scale factor."""
    return isinstance(value, str) and re.match(SCALED_PATTERN, value) is not None
