"""The language: YAML becomes a typed spec, with a place in the file for every error.

This package knows no datasets, no blocks and no HTTP.
"""

from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.spec.files import post_fixed
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec, SourceMap
from kfp_sdg.spec.problems import problem_as_dict
from kfp_sdg.spec.schema_file import block_schema, builtin_types, load_schema

if TYPE_CHECKING:
    from kfp_sdg.spec.load import load_pipeline, load_pipeline_text, require_num_instructions
else:
    from kfp_sdg.later import imported_later

    # A task is given its block's settings, not a pipeline, and needs no YAML.
    __getattr__ = imported_later(
        __name__, load=("load_pipeline", "load_pipeline_text", "require_num_instructions")
    )

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
