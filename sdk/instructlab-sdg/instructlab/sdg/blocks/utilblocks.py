"""The blocks that work on columns."""

from instructlab.sdg.blocks.block import Block
from kfp_sdg.blocks.combine_columns import CombineColumnsBlock
from kfp_sdg.blocks.duplicate_columns import DuplicateColumnsBlock
from kfp_sdg.blocks.flatten_columns import FlattenColumnsBlock
from kfp_sdg.blocks.rename_columns import RenameColumnsBlock
from kfp_sdg.blocks.sample_populator import SamplePopulatorBlock
from kfp_sdg.blocks.selector import SelectorBlock
from kfp_sdg.blocks.set_to_majority_value import SetToMajorityValueBlock

__all__ = [
    "CombineColumnsBlock",
    "DuplicateColumnsBlock",
    "FlattenColumnsBlock",
    "RenameColumnsBlock",
    "SamplePopulatorBlock",
    "SelectorBlock",
    "SetToMajorityValueBlock",
]

for _kind in (
    CombineColumnsBlock,
    DuplicateColumnsBlock,
    FlattenColumnsBlock,
    RenameColumnsBlock,
    SamplePopulatorBlock,
    SelectorBlock,
    SetToMajorityValueBlock,
):
    Block.register(_kind)
