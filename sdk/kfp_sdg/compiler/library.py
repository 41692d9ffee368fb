"""The components that tasks are made of, loaded from what the distribution ships."""

from __future__ import annotations

import ast
import copy
import dataclasses
from importlib import resources
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS
from kfp_sdg.compiler.pods import PodOptions
from kfp_sdg.compiler.resources import TaskKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp.dsl import PipelineTask
    from kfp.dsl.yaml_component import YamlComponent

LOAD = "datasets/load"
EMPTY = "datasets/empty"
PREPROCESS = "taxonomy/preprocess"
POSTPROCESS = "taxonomy/postprocess"
CHECK = "taxonomy/check_leaves"
START = "teacher/start"
PREFLIGHT = "teacher/preflight"
STOP = "teacher/stop"
CUSTOM = "blocks/custom"
"""The component that runs a block type which is not ours, from a plugin."""


_TAXONOMY_GROUP = "taxonomy/"
"""Where the components of tasks are that convert documents and write training data."""

_TRIED_ONCE = frozenset({LOAD, PREPROCESS, CHECK, START, PREFLIGHT})
"""Components whose tasks are not tried again: they come before anything was paid for and fail
mostly for a mistake, have waited for as long as they were told to, or fail on purpose."""

_NEVER_CACHED = frozenset({PREPROCESS, START, PREFLIGHT, STOP})
"""Components whose tasks do their work in each run: they look at what may have changed, or change
it. KFP knows a task by its inputs."""


class ComponentLibrary:
    """Components by their folder; each ``component.yaml`` is parsed once.

    Attributes:
        pods: How the pods of the tasks are to be.
    """

    def __init__(self, pods: PodOptions | None = None) -> None:
        """Start with nothing loaded.

        Args:
            pods: How the pods of the tasks are to be.
        """
        self.pods = pods or PodOptions()
        self._components: dict[str, YamlComponent] = {}

    def component(self, folder: str) -> YamlComponent:
        """Return a component.

        Args:
            folder: Its folder under ``components``: "blocks/llm".
        """
        if folder not in self._components:
            from kfp.components import load_component_from_text

            file = resources.files("kfp_sdg.components").joinpath(folder, "component.yaml")
            text = file.read_text(encoding="utf-8")
            self._components[folder] = _without_docstring(load_component_from_text(text))
        return self._components[folder]

    def component_for_task(self, folder: str, task_name: str) -> YamlComponent:
        """Return a component whose tasks are called ``task_name``.

        KFP names a task after its component, and a display name does not change that. The name is
        replaced in the loaded component: replaced in the YAML text, KFP no longer finds the
        component's container and wraps it in a pipeline of its own, one more pod per block.

        Args:
            folder: The component's folder under ``components``.
            task_name: The task's name, valid for Kubernetes and unique in its pipeline.
        """
        component = copy.copy(self.component(folder))
        component.component_spec = dataclasses.replace(component.component_spec, name=task_name)
        component.name = task_name
        return component

    def task(
        self,
        folder: str,
        name: str,
        values: Mapping[str, Any],
        run: Mapping[str, Any] | None = None,
        *,
        kind: TaskKind | None = None,
    ) -> PipelineTask:
        """Add a task to the pipeline that KFP is tracing.

        Args:
            folder: The component's folder under ``components``.
            name: The task's name.
            values: Channels and constants by name; the component's inputs are taken from these.
            run: The channels of the run's parameters by name; those that the pods have a use for
                are taken from these. None where ``values`` has them.
            kind: What the task does, where its component's group does not tell.
        """
        inputs = self.inputs(folder)
        component = self.component_for_task(folder, name)
        task = component(**{key: value for key, value in values.items() if key in inputs})
        # KFP's own default depends on the environment; the bytes must not.
        task.set_caching_options(enable_caching=folder not in _NEVER_CACHED)
        self.pods.apply(
            task,
            folder,
            kind or _kind(folder),
            values if run is None else run,
            tried_again=folder not in _TRIED_ONCE,
        )
        return task

    def inputs(self, folder: str) -> frozenset[str]:
        """Return the names of a component's inputs."""
        return frozenset(self.component(folder).component_spec.inputs or ())

    def takes(self, name: str, block_type: str, config: Mapping[str, Any]) -> bool:
        """Tell whether a block has a use for one of the run's parameters.

        It does if its component has an input of that name: blocks that ask a teacher take
        ``teacher_url``, those that may reject rows ``max_rejected``. An IterBlock takes what the
        block that it repeats does; a block type that is not ours may need anything.

        Args:
            name: The parameter's name.
            block_type: The type as pipelines write it.
            config: The block's settings.
        """
        if block_type == "IterBlock":
            return self.takes(name, str(config.get("block_type")), {})
        return name in self.inputs(component_folder(block_type))


def _kind(folder: str) -> TaskKind:
    """Return what a component's tasks do; a block that asks says so itself."""
    return TaskKind.TAXONOMY if folder.startswith(_TAXONOMY_GROUP) else TaskKind.COLUMN


def _without_docstring(component: YamlComponent) -> YamlComponent:
    """Return a component whose program has no docstring.

    The program is the text of a Python function, and a task's part of the pipeline holds it. Its
    docstring, which nothing reads there, makes a fifth of a workflow's size, for which Kubernetes
    has limits.
    """
    spec = component.component_spec
    container = spec.implementation.container
    *command, program = container.command
    function = next(node for node in ast.parse(program).body if isinstance(node, ast.FunctionDef))
    if ast.get_docstring(function) is None:
        return component
    docstring = function.body[0]
    lines = program.splitlines(keepends=True)
    del lines[docstring.lineno - 1 : docstring.end_lineno]
    container = dataclasses.replace(container, command=[*command, "".join(lines)])
    implementation = dataclasses.replace(spec.implementation, container=container)
    component.component_spec = dataclasses.replace(spec, implementation=implementation)
    return component


def component_folder(block_type: str) -> str:
    """Return the folder of the component that runs blocks of a type.

    Args:
        block_type: The type as pipelines write it.
    """
    module = BUILTIN_BLOCKS.get(block_type)
    return f"blocks/{module.rpartition('.')[2]}" if module else CUSTOM
