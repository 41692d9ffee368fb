"""What a compiled pipeline will do: its tasks with the names that people know, and its outputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TaskPath: TypeAlias = tuple[str, ...]
"""The names of the pipelines around a task from the outside in, and its own."""

_INNER = re.compile(r"(condition|for-loop|exit-handler)(-branches)?-\d+(-\d+)?|generate")
"""Pipelines inside the pipeline that KFP's DSL or our compiler makes, which say nothing."""


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task that runs in a pod of its own.

    Attributes:
        path: Where it is.
        label: What people call it: the block's name.
        section: The part of the pipeline that it is in, "" for the pipeline itself.
    """

    path: TaskPath
    label: str
    section: str = ""

    def __str__(self) -> str:
        """Return its name for people."""
        return f"{self.section}/{self.label}" if self.section else self.label


@dataclass(frozen=True, slots=True)
class Output:
    """An artifact that comes out of a pipeline.

    Attributes:
        name: The output's name.
        type: The schema of its type: "system.Dataset".
        producers: The tasks that may have made it, each with the name of its own output. More than
            one where a condition chooses.
    """

    name: str
    type: str
    producers: tuple[tuple[TaskPath, str], ...]


def tasks_of(spec: Mapping[str, Any]) -> tuple[PlannedTask, ...]:
    """Return a pipeline's tasks in an order in which they can run.

    Args:
        spec: The pipeline's spec, as KFP writes it.
    """
    return tuple(_tasks(spec, spec.get("root") or {}, (), ""))


def outputs_of(spec: Mapping[str, Any]) -> tuple[Output, ...]:
    """Return a pipeline's artifacts, by the order of their names.

    Args:
        spec: The pipeline's spec, as KFP writes it.
    """
    root = spec.get("root") or {}
    defined = (root.get("outputDefinitions") or {}).get("artifacts") or {}
    return tuple(
        Output(
            name,
            str((entry.get("artifactType") or {}).get("schemaTitle") or "system.Artifact"),
            tuple(_producers(spec, root, (), name)),
        )
        for name, entry in sorted(defined.items())
    )


def _tasks(
    spec: Mapping[str, Any], component: Mapping[str, Any], around: TaskPath, section: str
) -> Iterator[PlannedTask]:
    for name, task in _in_order((component.get("dag") or {}).get("tasks") or {}):
        inner = _component(spec, task)
        path = (*around, name)
        label = str((task.get("taskInfo") or {}).get("name") or name)
        if "dag" not in inner:
            yield PlannedTask(path, label, section)
        elif _INNER.fullmatch(name):
            yield from _tasks(spec, inner, path, section)
        else:
            yield from _tasks(spec, inner, path, f"{section}/{label}" if section else label)


def _in_order(tasks: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield tasks after those that they depend on, and in the order of their names otherwise."""
    left = dict(tasks)
    done: set[str] = set()
    while left:
        ready = [
            name for name in sorted(left) if done.issuperset(left[name].get("dependentTasks") or ())
        ]
        for name in ready[:1] or list(left):  # all at once where they wait for each other
            done.add(name)
            yield name, left.pop(name)


def _producers(
    spec: Mapping[str, Any], component: Mapping[str, Any], around: TaskPath, output: str
) -> Iterator[tuple[TaskPath, str]]:
    dag = component.get("dag") or {}
    chosen = ((dag.get("outputs") or {}).get("artifacts") or {}).get(output) or {}
    for selector in chosen.get("artifactSelectors") or ():
        name, key = selector["producerSubtask"], selector["outputArtifactKey"]
        inner = _component(spec, dag["tasks"][name])
        if "dag" in inner:
            yield from _producers(spec, inner, (*around, name), key)
        else:
            yield (*around, name), key


def _component(spec: Mapping[str, Any], task: Mapping[str, Any]) -> Mapping[str, Any]:
    components: Mapping[str, Any] = spec.get("components") or {}
    found: Mapping[str, Any] = components.get((task.get("componentRef") or {}).get("name", ""), {})
    return found
