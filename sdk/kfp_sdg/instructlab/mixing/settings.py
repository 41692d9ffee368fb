"""What a user may choose about training data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, SpecError
from kfp_sdg.instructlab.mixing.chance import DEFAULT_SEED
from kfp_sdg.instructlab.mixing.sampling import is_sampling_size, not_a_sampling_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEFAULT_SYSTEM_PROMPT = (
    "You are a careful assistant. Give correct and complete answers in clear language, and say so "
    "when you do not know something."
)
"""What the system says in training rows where nobody chose another text."""

SKILLS_SAMPLING_SIZE = 30
"""How many rows of each skill leaf go into a mix, so that no skill outweighs the others."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What a user may choose about training data.

    Attributes:
        system_prompt: What the system says in every row.
        auxiliary_instructions: Instructions for rewritten documents by their dataset type, as the
            knowledge pipeline has them (``PipelineSpec.auxiliary_instructions``).
        skills_sampling_size: How much of each skill leaf goes into the mix: an int is a count, a
            float a ratio.
        precomputed_sampling_size: How much of each dataset of the default skills recipe goes into
            the mix; what that recipe says where not given.
        seed: The seed of what is chosen by chance.
        recipe_folders: The folders that ``default_data_recipes`` is looked for in; those of the
            user and of the system where not given.
    """

    system_prompt: str = DEFAULT_SYSTEM_PROMPT
    auxiliary_instructions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    skills_sampling_size: int | float = SKILLS_SAMPLING_SIZE
    precomputed_sampling_size: int | float | None = None
    seed: int = DEFAULT_SEED
    recipe_folders: Sequence[Path] | None = None

    def __post_init__(self) -> None:
        """Check the sampling sizes.

        Raises:
            SpecError: One is no number from 0 up.
        """
        sizes = {
            "skills_sampling_size": self.skills_sampling_size,
            "precomputed_sampling_size": self.precomputed_sampling_size,
        }
        problems = [
            not_a_sampling_size(name, size, Position("training data"))
            for name, size in sizes.items()
            if size is not None and not is_sampling_size(size)
        ]
        if problems:
            raise SpecError(problems)
