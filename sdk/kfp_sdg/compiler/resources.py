"""How much CPU and memory the tasks of a compiled pipeline ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from kfp_sdg.compiler.kubernetes_words import cpu_millicores, memory_bytes


class TaskKind(StrEnum):
    """What a task does, as far as its needs go.

    ``asking`` blocks wait for a teacher and hold the answers, ``column`` covers all that only moves
    rows, ``taxonomy`` converts documents and writes training data.
    """

    ASKING = "asking"
    COLUMN = "column"
    TAXONOMY = "taxonomy"


class Resource(StrEnum):
    """A setting of a container, by its name in the options of ``compile``."""

    CPU_REQUEST = "cpu-request"
    CPU_LIMIT = "cpu-limit"
    MEMORY_REQUEST = "memory-request"
    MEMORY_LIMIT = "memory-limit"


PAIRS = (
    (Resource.CPU_REQUEST, Resource.CPU_LIMIT, cpu_millicores),
    (Resource.MEMORY_REQUEST, Resource.MEMORY_LIMIT, memory_bytes),
)
"""Each request with its limit, and what compares their quantities."""

Resources = Mapping[Resource, str]
"""A container's resources as Kubernetes' quantities; what is missing is left to the cluster."""


def _resources(cpu: tuple[str, str], memory: tuple[str, str]) -> Resources:
    values = (*cpu, *memory)
    return MappingProxyType(dict(zip(Resource, values, strict=True)))


DEFAULT_RESOURCES: Mapping[TaskKind, Resources] = MappingProxyType(
    {
        # Measured: 120 MB, and three times the bytes of the rows, which are in memory as a whole.
        # The limits of CPU are for namespaces whose quota wants one; blocks use little of it.
        TaskKind.COLUMN: _resources(("100m", "1"), ("256Mi", "2Gi")),
        # Hundreds of answers at once, and the rows that they are for.
        TaskKind.ASKING: _resources(("250m", "2"), ("512Mi", "4Gi")),
        # Documents are converted in one process, and all kinds' rows come together at the end.
        TaskKind.TAXONOMY: _resources(("250m", "2"), ("512Mi", "4Gi")),
    }
)


@dataclass(frozen=True, slots=True)
class ResourceOverride:
    """A setting over the default one.

    Attributes:
        resource: Which setting.
        quantity: Kubernetes' quantity; None to set nothing.
        kind: The tasks that it is for; None for all.
    """

    resource: Resource
    quantity: str | None
    kind: TaskKind | None = None

    @classmethod
    def parse(cls, resource: Resource, text: str) -> ResourceOverride:
        """Read ``[KIND=]QUANTITY``, where the quantity may be ``none``.

        Args:
            resource: Which setting.
            text: What was typed.

        Raises:
            ValueError: There is no such kind of task, or it is no quantity of that resource.
        """
        kind, separator, rest = text.rpartition("=")
        if separator and kind not in list(TaskKind):
            raise ValueError(f"{kind!r} is no kind of task; expected one of {', '.join(TaskKind)}")
        if rest != "none":
            _measure(resource)(rest)
        return cls(resource, None if rest == "none" else rest, TaskKind(kind) if kind else None)


def task_resources(overrides: tuple[ResourceOverride, ...]) -> Mapping[TaskKind, Resources]:
    """Return the resources of each kind of task.

    An override for a kind comes before one for all. Where only one half of a pair is given, the
    default of the other gives way: a request is never above its limit, which Kubernetes refuses.

    Args:
        overrides: What is not to be as by default; of equal ones the last counts.

    Raises:
        ValueError: A request is above the limit that was given for the same tasks.
    """
    return MappingProxyType({kind: _of_kind(kind, overrides) for kind in TaskKind})


def _of_kind(kind: TaskKind, overrides: tuple[ResourceOverride, ...]) -> Resources:
    given = {o.resource: o.quantity for o in overrides if o.kind is None}
    given |= {o.resource: o.quantity for o in overrides if o.kind is kind}
    settled: dict[Resource, str | None] = {**DEFAULT_RESOURCES[kind], **given}
    for request, limit, measure in PAIRS:
        least, most = settled[request], settled[limit]
        if least is None or most is None or measure(least) <= measure(most):
            continue
        if request in given and limit in given:
            raise ValueError(
                f"the {request.value} {least} of {kind.value} tasks is above their {limit.value} "
                f"{most}"
            )
        settled[limit if request in given else request] = least if request in given else most
    return MappingProxyType({key: text for key, text in settled.items() if text is not None})


def _measure(resource: Resource) -> Callable[[str], int]:
    return next(measure for request, limit, measure in PAIRS if resource in (request, limit))
