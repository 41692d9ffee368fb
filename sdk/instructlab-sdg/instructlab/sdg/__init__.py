"""The import paths of instructlab-sdg, on kfp-sdg.

Names, signatures, exceptions and files are InstructLab's; blocks, engine, teacher and workflow are
those of ``kfp_sdg``. Nothing here does any work that is not about that difference.
"""

from typing import TYPE_CHECKING, Any

from instructlab.sdg._original import warn_of_the_original
from instructlab.sdg._version import __version__ as __version__
from instructlab.sdg.blocks.block import Block, BlockConfigParserError
from instructlab.sdg.blocks.filterblock import FilterByValueBlock, FilterByValueBlockError
from instructlab.sdg.blocks.iterblock import IterBlock
from instructlab.sdg.blocks.llmblock import (
    ConditionalLLMBlock,
    LLMBlock,
    LLMLogProbBlock,
    LLMMessagesBlock,
)
from instructlab.sdg.blocks.utilblocks import (
    CombineColumnsBlock,
    DuplicateColumnsBlock,
    FlattenColumnsBlock,
    RenameColumnsBlock,
    SamplePopulatorBlock,
    SelectorBlock,
    SetToMajorityValueBlock,
)
from instructlab.sdg.generate_data import generate_data, mix_datasets
from instructlab.sdg.pipeline import (
    FULL_PIPELINES_PACKAGE,
    LLAMA_PIPELINES_PKG,
    SIMPLE_PIPELINES_PACKAGE,
    EmptyDatasetError,
    Pipeline,
    PipelineBlockError,
    PipelineConfigParserError,
    PipelineContext,
)
from instructlab.sdg.registry import BlockRegistry, PromptRegistry
from instructlab.sdg.utils import GenerateException

if TYPE_CHECKING:
    from instructlab.sdg.utils.taxonomy import TaxonomyReadingException as TaxonomyReadingException

warn_of_the_original()


def __getattr__(name: str) -> Any:
    """Return what is seldom asked for and costs time to import."""
    if name == "TaxonomyReadingException":
        from instructlab.schema.taxonomy import TaxonomyReadingException

        return TaxonomyReadingException
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "FULL_PIPELINES_PACKAGE",
    "LLAMA_PIPELINES_PKG",
    "SIMPLE_PIPELINES_PACKAGE",
    "Block",
    "BlockConfigParserError",
    "BlockRegistry",
    "CombineColumnsBlock",
    "ConditionalLLMBlock",
    "DuplicateColumnsBlock",
    "EmptyDatasetError",
    "FilterByValueBlock",
    "FilterByValueBlockError",
    "FlattenColumnsBlock",
    "GenerateException",
    "IterBlock",
    "LLMBlock",
    "LLMLogProbBlock",
    "LLMMessagesBlock",
    "Pipeline",
    "PipelineBlockError",
    "PipelineConfigParserError",
    "PipelineContext",
    "PromptRegistry",
    "RenameColumnsBlock",
    "SamplePopulatorBlock",
    "SelectorBlock",
    "SetToMajorityValueBlock",
    "generate_data",
    "mix_datasets",
]
