"""The pipelines that ship: ``full``, ``simple``, ``llama`` and ``eval``, those of kfp-sdg.

They are where ``importlib.resources.files("instructlab.sdg.pipelines.full")`` finds them.
"""

from instructlab.sdg._data import serve

serve(__name__)
