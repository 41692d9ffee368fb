"""The KFP face of the blocks: what a pipeline author imports.

One folder per component; each body is one call into ``kfp_sdg.runtime``, which does the work.

    from kfp_sdg.components.blocks.llm import llm
"""

from kfp_sdg.runtime.encoding import dump_json as json_input

__all__ = ["json_input"]
