"""How a run's tasks are, of what the API server tells of it.

``run_details.task_details`` is a list of the nodes of Argo's workflow: their display names, states
and children, and neither inputs, outputs nor errors (``toModelTask`` for ``util.NodeStatus`` in
KFP's backend/src/apiserver/server/api_converter.go). A task ``gen`` is there as ``gen-driver`` and
``gen``; the latter holds a node ``executor``, which is skipped where KFP's cache has the answer
(backend/src/v2/compiler/argocompiler, container.go), and with retries ``executor(0)``,
``executor(1)``. Nodes refer to their children by Argo's ids, whose last part is that of the pod's
name too (``RetrievePodName`` in backend/src/common/util/workflow.go).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

    from kfp_sdg.cluster.submit.plan import PlannedTask

_EXECUTOR = re.compile(r"executor(\(\d+\))?")
_ATTEMPT = re.compile(r"executor\(\d+\)")
_DRIVER = "-driver"
_FAILED = ("FAILED", "ERROR")


class RunState(StrEnum):
    """How a run is: KFP's runtime states, and ERROR, which older servers know."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELING = "CANCELING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    ERROR = "ERROR"
    CANCELED = "CANCELED"

    @classmethod
    def of(cls, state: str | None) -> RunState:
        """Return a state by the API's word for it; one that nobody knows yet is pending."""
        word = (state or "").upper()
        return cls(word) if word in cls.__members__ else cls.PENDING

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self in _FINAL

    @property
    def is_success(self) -> bool:
        """Whether the run has made what it was to make. A skipped run made nothing."""
        return self is RunState.SUCCEEDED


_FINAL = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.SKIPPED,
        RunState.FAILED,
        RunState.ERROR,
        RunState.CANCELED,
    }
)


class TaskState(StrEnum):
    """How a task is, in the words that people read."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELED = "canceled"
    NOT_RUN = "not run"

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self not in (TaskState.WAITING, TaskState.RUNNING)


_OF_NODE = {
    "RUNNING": TaskState.RUNNING,
    "SUCCEEDED": TaskState.SUCCEEDED,
    "SKIPPED": TaskState.SKIPPED,
    "FAILED": TaskState.FAILED,
    "ERROR": TaskState.FAILED,
    "CANCELED": TaskState.CANCELED,
    "CANCELING": TaskState.RUNNING,
}


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task of a run at one moment.

    Attributes:
        task: The task.
        state: How it is.
        retries: How often its pod was tried again.
        started: When its pod began; None before.
        ended: When it ended; None before.
        pod: The name of the pod that failed, or "".
        error: What the server says of a failure, or "".
    """

    task: PlannedTask
    state: TaskState = TaskState.WAITING
    retries: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    pod: str = ""
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None before it ended."""
        if self.started is None or self.ended is None:
            return None
        return _between(self.started, self.ended)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment.

    Attributes:
        run_id: The run.
        name: Its name.
        state: How it is.
        tasks: Its tasks, as they are planned.
        error: What the server says of the run's failure, or "".
        started: When it was made.
        ended: When it ended; None before.
        seen: The moment, by the server's clock: a laptop's may be another one.
    """

    run_id: str
    name: str
    state: RunState
    tasks: tuple[TaskView, ...]
    seen: datetime
    error: str = ""
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def seconds(self) -> float:
        """How long it takes, or took; 0 where the server does not say since when."""
        return (
            self.since(self.started) if self.ended is None else _between(self.started, self.ended)
        )

    def since(self, moment: datetime | None) -> float:
        """Return the seconds from a moment to the look at the run; 0 for None.

        Args:
            moment: The moment, by the server's clock.
        """
        return _between(moment, self.seen)


def view_of(run: V2beta1Run, plan: Sequence[PlannedTask], seen: datetime) -> RunView:
    """Return a run as people want to see it.

    Args:
        run: The run, as the server tells of it.
        plan: The tasks that it has.
        seen: The server's time.
    """
    state = RunState.of(run.state)
    details = run.run_details.task_details if run.run_details else None
    nodes = _Nodes(details or ())
    owners = nodes.owners(plan)
    return RunView(
        run_id=str(run.run_id),
        name=str(run.display_name or run.run_id),
        state=state,
        tasks=tuple(_task_view(task, owners.get(task.path), nodes, state) for task in plan),
        seen=seen,
        error=_run_error(run),
        started=run.created_at,
        ended=_time(run.finished_at) if state.is_final else None,
    )


def _task_view(
    task: PlannedTask, node: _Node | None, nodes: _Nodes, run_state: RunState
) -> TaskView:
    if node is None:
        return TaskView(task, TaskState.NOT_RUN if run_state.is_final else TaskState.WAITING)
    state = _OF_NODE.get(node.state, TaskState.WAITING)
    executors = [below for below in nodes.inside(node) if _EXECUTOR.fullmatch(below.name)]
    attempts = [below for below in executors if _ATTEMPT.fullmatch(below.name)]
    if state is TaskState.SUCCEEDED and any(e.state == "SKIPPED" for e in executors):
        state = TaskState.CACHED
    if state is TaskState.WAITING and run_state.is_final:
        state = TaskState.NOT_RUN
    if run_state is RunState.CANCELED and state in (TaskState.RUNNING, TaskState.FAILED):
        state = TaskState.CANCELED  # Argo says that pods failed which it ended
    failed = [n for n in (*reversed(attempts), *executors, node) if n.state in _FAILED]
    return TaskView(
        task,
        state,
        retries=max(len(attempts) - 1, 0),
        started=node.started if state is not TaskState.WAITING else None,
        ended=node.ended if state.is_final else None,
        pod=failed[0].pod if failed and state is TaskState.FAILED else "",
        error=next((below.error for below in failed if below.error), ""),
    )


@dataclass(slots=True)
class _Node:
    """A node of the workflow."""

    name: str
    state: str
    pod: str
    error: str
    started: datetime | None
    ended: datetime | None
    children: tuple[str, ...]
    parents: list[_Node] = field(default_factory=list)


class _Nodes:
    """The nodes of a workflow, with the ways between them."""

    def __init__(self, details: Iterable[V2beta1PipelineTaskDetail]) -> None:
        self._nodes = [
            _Node(
                name=str(detail.display_name or ""),
                state=str(detail.state or "").upper(),
                pod=str(detail.pod_name or detail.task_id or ""),
                error=_message(detail.error),
                started=_time(detail.start_time),
                ended=_time(detail.end_time),
                children=tuple(
                    str(child.pod_name or child.task_id or "") for child in detail.child_tasks or ()
                ),
            )
            for detail in details
        ]
        self._by_id = {_last_part(node.pod): node for node in self._nodes if node.pod}
        for node in self._nodes:
            for child in self._children(node):
                child.parents.append(node)

    def owners(self, plan: Sequence[PlannedTask]) -> Mapping[tuple[str, ...], _Node]:
        """Return each task's node by its path; tasks that did not begin have none.

        Tasks of one name in several parts of the pipeline are told apart by which part is the
        nearest one above. A driver that failed stands for its task.
        """
        same_name = defaultdict(list)
        for task in plan:
            same_name[task.path[-1]].append(task)
        found: dict[tuple[str, ...], _Node] = {}
        for node in self._nodes:
            name = node.name
            if name.endswith(_DRIVER) and node.state in _FAILED:
                name = name.removesuffix(_DRIVER)
            candidates = same_name.get(name, ())
            if not candidates:
                continue
            task = candidates[0] if len(candidates) == 1 else self._nearest(node, candidates)
            before = found.get(task.path)
            if before is None or before.state in ("SKIPPED", "RUNTIME_STATE_UNSPECIFIED", ""):
                found[task.path] = node
        return found

    def inside(self, node: _Node) -> Iterator[_Node]:
        """Yield the executors below a node: it is followed by the tasks that depend on it too."""
        for child in self._children(node):
            if _EXECUTOR.fullmatch(child.name):
                yield child
                yield from self.inside(child)

    def _children(self, node: _Node) -> Iterator[_Node]:
        for child in node.children:
            known = self._by_id.get(_last_part(child))
            if known is not None and known is not node:
                yield known

    def _nearest(self, node: _Node, candidates: Sequence[PlannedTask]) -> PlannedTask:
        """Return the task whose part of the pipeline is met first on the way up from a node."""
        own: dict[str, PlannedTask] = {}
        shared = set.intersection(*(set(task.path[:-1]) for task in candidates))
        for task in candidates:
            own.update(dict.fromkeys(set(task.path[:-1]) - shared, task))
        seen, level = {id(node)}, [node]
        while level:
            above = {id(parent): parent for below in level for parent in below.parents}
            level = [parent for key, parent in above.items() if key not in seen]
            seen |= above.keys()
            for parent in level:
                if parent.name in own:
                    return own[parent.name]
        return candidates[0]


def _between(start: datetime | None, end: datetime) -> float:
    return 0.0 if start is None else max((end - start).total_seconds(), 0.0)


def _last_part(node_id: str) -> str:
    return node_id.rsplit("-", 1)[-1]


def _message(status: object) -> str:
    return " ".join(str(getattr(status, "message", None) or "").split())


def _run_error(run: V2beta1Run) -> str:
    """Return what a server says of a run's failure: of the run, or of its last change."""
    history = [_message(entry.error) for entry in run.state_history or ()]
    return _message(run.error) or next((text for text in reversed(history) if text), "")


def _time(moment: datetime | None) -> datetime | None:
    """Return a moment; None for one that is not known, for which KFP has 1970 or the year 1."""
    return None if moment is None or moment.year <= 1970 else moment
