"""The prompt configs that ship, those of kfp-sdg: ``knowledge`` and ``skills``."""

from kfp_sdg.pipelines import SHIPPED_FOLDER

__path__ = [str(SHIPPED_FOLDER / "instructlab" / "configs")]
