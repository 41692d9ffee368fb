"""The blocks: one module per block type, rows in, rows out.

This package never knows where its blocks run.
"""

from kfp_sdg.blocks.account import REJECTED_COLUMNS, Account, Rejection
from kfp_sdg.blocks.base import Block, BlockRegistry, register
from kfp_sdg.blocks.context import PipelineContext

__all__ = [
    "REJECTED_COLUMNS",
    "Account",
    "Block",
    "BlockRegistry",
    "PipelineContext",
    "Rejection",
    "register",
]
