"""IterBlock."""

from kfp_sdg.blocks.iter import IterBlock

__all__ = ["IterBlock"]
