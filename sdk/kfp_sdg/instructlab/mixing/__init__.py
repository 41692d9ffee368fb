"""Training data is put together: training rows of generated ones, recipes, and mixes.

Nothing is asked of a teacher here, and what is chosen by chance comes out the same in every run.
"""

from kfp_sdg.instructlab.mixing.chance import DEFAULT_SEED
from kfp_sdg.instructlab.mixing.mix import Mixed, MixedDataset, mix
from kfp_sdg.instructlab.mixing.recipe import (
    Recipe,
    RecipeDataset,
    default_recipe,
    read_recipe,
    write_recipe,
)
from kfp_sdg.instructlab.mixing.sampling import parse_sampling_size
from kfp_sdg.instructlab.mixing.settings import (
    DEFAULT_SYSTEM_PROMPT,
    SKILLS_SAMPLING_SIZE,
    TrainingSettings,
)

__all__ = [
    "DEFAULT_SEED",
    "DEFAULT_SYSTEM_PROMPT",
    "SKILLS_SAMPLING_SIZE",
    "Mixed",
    "MixedDataset",
    "Recipe",
    "RecipeDataset",
    "TrainingSettings",
    "default_recipe",
    "mix",
    "parse_sampling_size",
    "read_recipe",
    "write_recipe",
]
