"""From a pipeline spec to a KFP pipeline: its graph, its files, and a run on KFP's local runner.

Importing this package is cheap: KFP is loaded where a pipeline is compiled or run.
"""

from __future__ import annotations

from kfp_sdg.compiler.graph import compile_pipeline
from kfp_sdg.compiler.local import LocalRunOptions, run_with_kfp
from kfp_sdg.compiler.package import CompiledPipeline, CompiledWorkflow
from kfp_sdg.compiler.pods import PodOptions
from kfp_sdg.compiler.teacher_source import TeacherKey, TeacherSource
from kfp_sdg.compiler.workflow import compile_workflow

__all__ = [
    "CompiledPipeline",
    "CompiledWorkflow",
    "LocalRunOptions",
    "PodOptions",
    "TeacherKey",
    "TeacherSource",
    "compile_pipeline",
    "compile_workflow",
    "run_with_kfp",
]
