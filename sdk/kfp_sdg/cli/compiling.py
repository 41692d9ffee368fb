"""From what was typed to a compiled pipeline or workflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.cli.pipeline_file import PipelineSource, is_set

if TYPE_CHECKING:
    from kfp_sdg.compiler.package import CompiledGraph
    from kfp_sdg.compiler.pods import PodOptions
    from kfp_sdg.compiler.teacher_source import TeacherSource
    from kfp_sdg.spec import PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOrder:
    """What is to be compiled, and how.

    Attributes:
        pipeline: What was typed as PIPELINE: a file, a folder, or the name of shipped pipelines.
        source: Where pipelines come from besides.
        name: The pipeline's name; None for that of the file or folder.
        description: What the dashboard says about it; None for a summary.
        pods: How the pods of the tasks are to be.
        teacher: Where the teacher comes from.
    """

    pipeline: str
    source: PipelineSource
    name: str | None
    description: str | None
    pods: PodOptions
    teacher: TeacherSource

    def compile(self) -> tuple[CompiledGraph, list[PipelineSpec]]:
        """Compile a pipeline or a workflow.

        Returns:
            It, and the pipelines that it is made of.

        Raises:
            SpecError: There is no such pipeline, it has problems, or it cannot be a KFP pipeline.
            typer.BadParameter: A plugin cannot be imported.
        """
        from kfp_sdg.compiler import compile_pipeline, compile_workflow

        if not is_set(self.pipeline):
            spec = self.source.load(self.pipeline)
            compiled: CompiledGraph = compile_pipeline(
                spec,
                name=self.name,
                description=self.description,
                plugins=self.source.plugins,
                pods=self.pods,
                teacher=self.teacher,
            )
            return compiled, [spec]
        found = self.source.load_set(self.pipeline)
        compiled = compile_workflow(
            found,
            name=self.name or (self.pipeline if not Path(self.pipeline).is_dir() else None),
            description=self.description,
            plugins=self.source.plugins,
            pods=self.pods,
            teacher=self.teacher,
        )
        specs = [found.knowledge, found.freeform, found.grounded]
        return compiled, [spec for spec in specs if spec is not None]
