"""The language: YAML becomes a typed spec, with a place in the file for every error.

This package knows no datasets, no blocks and no HTTP.
"""

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.spec.files import post_fixed
from kfp_sdg.spec.load import load_pipeline, load_pipeline_text, require_num_instructions
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec, SourceMap
from kfp_sdg.spec.problems import problem_as_dict
from kfp_sdg.spec.schema_file import block_schema, builtin_types, load_schema

__all__ = [
    "BlockSpec",
    "ConfigFile",
    "PipelineSpec",
    "Position",
    "Problem",
    "SourceMap",
    "SpecError",
    "block_schema",
    "builtin_types",
    "load_pipeline",
    "load_pipeline_text",
    "load_schema",
    "post_fixed",
    "problem_as_dict",
    "require_num_instructions",
]
