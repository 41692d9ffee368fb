"""The pipelines that ship: ``full``, ``simple``, ``llama`` and ``eval``, those of kfp-sdg.

They are where ``importlib.resources.files("instructlab.sdg.pipelines.full")`` finds them.
"""

from kfp_sdg.pipelines import SHIPPED_FOLDER

__path__ = [str(SHIPPED_FOLDER / "instructlab")]
