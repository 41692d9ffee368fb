"""The prompt configs that ship, those of kfp-sdg: ``knowledge`` and ``skills``."""

from instructlab.sdg._data import serve

serve(__name__, "configs")
