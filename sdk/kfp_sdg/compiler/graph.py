"""From a pipeline spec to KFP's graph: one task per block, one after the other."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from kfp_sdg.compiler.arguments import ROWS, block_arguments
from kfp_sdg.compiler.library import LOAD, ComponentLibrary, component_folder
from kfp_sdg.compiler.names import LOAD_TASK, pipeline_name, task_names, unique_name
from kfp_sdg.compiler.package import CompiledPipeline
from kfp_sdg.compiler.parameters import (
    MAX_REJECTED,
    TEACHER_SECRET,
    RunParameter,
    run_parameters,
)
from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.teacher.credentials import FILE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp.dsl import PipelineTask

    from kfp_sdg.spec import BlockSpec, PipelineSpec

SECRET_FOLDER = "/var/run/secrets/kfp-sdg/teacher"  # noqa: S105 - a place, not a secret
"""Where a task finds the teacher's Secret: one file per key."""

_MANY_TASKS = 100
"""Beyond this many tasks Argo and etcd reach their limits of size (kubeflow/pipelines#12453)."""


def compile_pipeline(
    spec: PipelineSpec,
    *,
    name: str | None = None,
    description: str | None = None,
    plugins: Iterable[str] = (),
) -> CompiledPipeline:
    """Turn a pipeline into KFP's form: a task that loads the rows, then a task per block.

    Args:
        spec: The pipeline.
        name: The pipeline's name at KFP; its file's name without one. Letters that Kubernetes does
            not allow become dashes; the dashboard shows the name as given.
        description: What the dashboard says about the pipeline; without it, its list of blocks.
        plugins: Modules that the tasks import to know custom block types. They have to be in the
            image that the tasks run in.

    Raises:
        SpecError: The pipeline cannot be a KFP pipeline: it has no blocks, or a block's settings
            and files are too large for a task.
    """
    from kfp import dsl

    if not spec.blocks:
        where = spec.source.at("blocks")
        raise SpecError(Problem("the pipeline has no blocks", where, code="no-blocks"))
    display_name = _without_templates(name or spec.name)
    safe_name = pipeline_name(display_name)
    trace = _Trace(spec, safe_name, tuple(plugins))
    graph = dsl.pipeline(
        trace,
        name=safe_name,
        display_name=display_name,
        description=_without_templates(description or _description(spec, display_name)),
    )
    return CompiledPipeline(
        name=graph.name,
        display_name=display_name,
        tasks=trace.tasks,
        load_task=trace.load_task,
        parameters=trace.parameters,
        graph=graph,
        warnings=_warnings(spec),
    )


class _Trace:
    """The pipeline function that KFP calls to learn the graph.

    KFP reads a pipeline's parameters from a function's signature and docstring; ours differ from
    pipeline to pipeline, so an object stands for the function.

    Attributes:
        tasks: The name of each block's task by the block's name.
        load_task: The name of the task that reads the first rows.
        parameters: The run form's fields.
    """

    def __init__(self, spec: PipelineSpec, name: str, plugins: tuple[str, ...]) -> None:
        self._spec = spec
        self._plugins = plugins
        self._library = ComponentLibrary()
        self._asking = self._blocks_that_take("teacher_url")
        self._rejecting = self._blocks_that_take(MAX_REJECTED)
        self.tasks = task_names((block.name for block in spec.blocks), pipeline=name)
        self.load_task = unique_name(LOAD_TASK, {name, *self.tasks.values()})
        self.parameters = run_parameters(self._asking, self._rejecting)
        self.__signature__ = _signature(self.parameters)
        self.__doc__ = _docstring(self.parameters)

    def __call__(self, *values: Any) -> Any:
        """Chain the tasks; KFP gives a channel for each parameter, in their order."""
        run = {
            parameter.name: value for parameter, value in zip(self.parameters, values, strict=True)
        }
        load = self._library.component_for_task(LOAD, self.load_task)
        inputs = self._library.inputs(LOAD)
        task = load(**{name: value for name, value in run.items() if name in inputs})
        # KFP's own default depends on the environment; the bytes must not.
        task.set_caching_options(enable_caching=True)
        for block in self._spec.blocks:
            task = self._block_task(block, task.outputs["output_rows"], run)
        return _outputs_type()(dataset=task.outputs["output_rows"])

    def _blocks_that_take(self, name: str) -> list[BlockSpec]:
        blocks = self._spec.blocks
        return [block for block in blocks if self._library.takes(name, block.type, block.config)]

    def _block_task(self, block: BlockSpec, rows: Any, run: Mapping[str, Any]) -> PipelineTask:
        folder = component_folder(block.type)
        component = self._library.component_for_task(folder, self.tasks[block.name])
        asks = block in self._asking
        if not asks:
            wanted = (MAX_REJECTED,) if block in self._rejecting else ()
            run = {name: run[name] for name in wanted}
        arguments = block_arguments(
            block,
            self._spec,
            component.component_spec.inputs,
            run=run,
            plugins=self._plugins,
        )
        task = component(**{ROWS: rows}, **arguments)
        task.set_display_name(block.name)
        task.set_caching_options(enable_caching=True)
        if asks:
            _mount_secret(task, run[TEACHER_SECRET])
        return task


def _mount_secret(task: PipelineTask, secret: Any) -> None:
    """Give a task the teacher's API key as a file, where the Secret exists."""
    from kfp import kubernetes

    kubernetes.use_secret_as_volume(task, secret, mount_path=SECRET_FOLDER, optional=True)
    task.set_env_variable(FILE_VARIABLE, SECRET_FOLDER)


def _outputs_type() -> Any:
    """Return the named tuple that KFP reads a pipeline's outputs from."""
    from kfp.dsl import Dataset

    return NamedTuple("Outputs", [("dataset", Dataset)])


def _signature(parameters: Iterable[RunParameter]) -> inspect.Signature:
    """Return the signature that KFP reads the parameters' types and defaults from."""
    return inspect.Signature(
        [
            inspect.Parameter(
                parameter.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=parameter.type,
                default=(
                    inspect.Parameter.empty if parameter.default is None else parameter.default
                ),
            )
            for parameter in parameters
        ],
        return_annotation=_outputs_type(),
    )


def _docstring(parameters: Iterable[RunParameter]) -> str:
    """Return the docstring that KFP reads the parameters' descriptions from."""
    lines = [f"    {parameter.name}: {parameter.description}" for parameter in parameters]
    return "\n".join(["Generate rows.", "", "Args:", *lines])


def _description(spec: PipelineSpec, display_name: str) -> str:
    """Return what the dashboard says about a pipeline: its name and its blocks."""
    blocks = [f"{i}. {block.name} ({block.type})" for i, block in enumerate(spec.blocks, start=1)]
    return "\n".join([f"Synthetic data generation: {display_name}. Its blocks, in order:", *blocks])


def _without_templates(text: str) -> str:
    """Return a text for people in which no workflow engine sees a template."""
    return text.replace("{{", "{ {").replace("}}", "} }")


def _warnings(spec: PipelineSpec) -> tuple[Problem, ...]:
    """Return what is doubtful about a pipeline as a KFP pipeline."""
    if len(spec.blocks) <= _MANY_TASKS:
        return ()
    return (
        Problem(
            f"the pipeline has {len(spec.blocks)} tasks, which is more than workflow engines "
            f"handle well",
            spec.source.at("blocks"),
            expected=f"at most {_MANY_TASKS}",
            suggestion="split the pipeline",
            code="many-tasks",
        ),
    )
