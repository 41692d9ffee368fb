"""From a pipeline spec to KFP's graph: a task that loads the rows, then a task per block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.arguments import ROWS
from kfp_sdg.compiler.chain import BlockChain, open_storage, too_many_tasks
from kfp_sdg.compiler.function import PipelineFunction
from kfp_sdg.compiler.library import LOAD, ComponentLibrary
from kfp_sdg.compiler.names import LOAD_TASK, pipeline_name, unique_name, without_templates
from kfp_sdg.compiler.package import CompiledPipeline
from kfp_sdg.compiler.parameters import pipeline_parameters
from kfp_sdg.compiler.teacher_section import TeacherSection
from kfp_sdg.compiler.teacher_source import TeacherSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp_sdg.compiler.pods import PodOptions
    from kfp_sdg.spec import PipelineSpec


def compile_pipeline(
    spec: PipelineSpec,
    *,
    name: str | None = None,
    description: str | None = None,
    plugins: Iterable[str] = (),
    pods: PodOptions | None = None,
    teacher: TeacherSource | None = None,
) -> CompiledPipeline:
    """Turn a pipeline into KFP's form: a task that loads the rows, then a task per block.

    Args:
        spec: The pipeline.
        name: The pipeline's name at KFP; its file's name without one. Letters that Kubernetes does
            not allow become dashes; the dashboard shows the name as given.
        description: What the dashboard says about the pipeline; without it, its list of blocks.
        plugins: Modules that the tasks import to know custom block types. They have to be in the
            image that the tasks run in.
        pods: How the pods of the tasks are to be.
        teacher: Where the teacher comes from; None for a URL in the run form, taken as it is.

    Raises:
        SpecError: The pipeline cannot be a KFP pipeline: it has no blocks, or a block's settings
            and files are too large for a task; or there is no use for a teacher.
    """
    from kfp import dsl

    display_name = without_templates(name or spec.name)
    safe_name = pipeline_name(display_name)
    library = ComponentLibrary(pods)
    source = teacher or TeacherSource()
    chain = BlockChain(spec, library, pipeline=safe_name, plugins=tuple(plugins), source=source)
    load_task = unique_name(LOAD_TASK, {safe_name, *chain.tasks.values()})

    def blocks(run: Mapping[str, Any]) -> dict[str, Any]:
        return {"dataset": chain.add(run[ROWS], run)}

    section = TeacherSection(
        blocks,
        library,
        source,
        [spec],
        artifacts=[ROWS],
        of_blocks=chain.parameters,
        outputs={"dataset": dsl.Dataset},
        taken={safe_name, load_task, *chain.tasks.values()},
        where=spec.source.at("blocks"),
    )
    parameters = pipeline_parameters(section.parameters)

    def tasks(run: Mapping[str, Any]) -> Mapping[str, Any]:
        # Outside of what the teacher is started for: rows that cannot be read cost no GPU.
        task = library.task(LOAD, load_task, run)
        open_storage(task, run)
        return section.add({**run, ROWS: task.outputs["output_rows"]})

    graph = dsl.pipeline(
        PipelineFunction(tasks, parameters, outputs={"dataset": dsl.Dataset}),
        name=safe_name,
        display_name=display_name,
        description=without_templates(
            description or _description(spec, display_name) + source.remark
        ),
    )
    return CompiledPipeline(
        name=graph.name,
        display_name=display_name,
        tasks=chain.tasks,
        load_task=load_task,
        parameters=parameters,
        graph=graph,
        warnings=too_many_tasks(graph, spec.source.at("blocks")),
    )


def _description(spec: PipelineSpec, display_name: str) -> str:
    """Return what the dashboard says about a pipeline: its name and its blocks."""
    blocks = [f"{i}. {block.name} ({block.type})" for i, block in enumerate(spec.blocks, start=1)]
    return "\n".join([f"Synthetic data generation: {display_name}. Its blocks, in order:", *blocks])
