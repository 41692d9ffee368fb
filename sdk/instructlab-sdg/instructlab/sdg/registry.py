"""The registries of blocks and chat formats: the same as kfp-sdg's, not copies."""

from kfp_sdg.blocks.base import BlockRegistry
from kfp_sdg.prompts.chat import PromptRegistry

__all__ = ["BlockRegistry", "PromptRegistry"]
