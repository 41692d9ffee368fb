"""The language: YAML becomes a typed spec, with a place in the file for every error.

This package knows no datasets, no blocks and no HTTP.
"""

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec, SourceMap

__all__ = [
    "BlockSpec",
    "ConfigFile",
    "PipelineSpec",
    "Position",
    "Problem",
    "SourceMap",
    "SpecError",
]
