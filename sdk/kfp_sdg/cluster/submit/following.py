"""Watch a run until it has ended, whichever way, and say what changes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kfp_sdg.cluster.submit.states import RunView, TaskState, TaskView, view_of
from kfp_sdg.cluster.submit.uploads import get_run
from kfp_sdg.errors import ClusterError
from kfp_sdg.kube.patience import growing
from kfp_sdg.runtime.console import ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.cluster.submit.plan import PlannedTask
    from kfp_sdg.cluster.submit.server import Server


class RunObserver(Protocol):
    """Who is told of a run."""

    def run_changed(self, run: RunView) -> None:
        """Take a run whose state is another one; the first look is one too."""
        ...

    def task_changed(self, index: int, view: TaskView, before: TaskView) -> None:
        """Take a task whose state or number of retries is another one; index counts from 1."""
        ...

    def looked(self, run: RunView) -> None:
        """Take a run as it is after a look at it, whether it changed or not."""
        ...


@dataclass(frozen=True, slots=True)
class Watching:
    """Seconds of a watch.

    Attributes:
        first_poll: Until a run is looked at for the second time; later looks are further apart.
        slowest_poll: The most between two looks.
        patience: How long a server may be away.
    """

    first_poll: float = 1.0
    slowest_poll: float = 8.0
    patience: float = 1800.0


def follow(
    server: Server,
    run_id: str,
    plan: Sequence[PlannedTask],
    observer: RunObserver,
    *,
    watching: Watching | None = None,
) -> RunView:
    """Watch a run until it has ended; return how it is then.

    Args:
        server: The server.
        run_id: The run.
        plan: The tasks that it has.
        observer: Is told of it.
        watching: How often to look, and how long the server may be away.

    Raises:
        MissingError: There is no such run, or somebody deleted it.
        ClusterError: The server refuses, or is away for too long.
    """
    watching = watching or Watching()
    state, tasks = None, tuple(TaskView(task) for task in plan)
    for pause in growing(watching.first_poll, watching.slowest_poll):
        answer = get_run(server, run_id, watching.patience)
        run = view_of(answer, plan, server.clock())
        if run.state != state:
            observer.run_changed(run)
        for index, (now, then) in enumerate(zip(run.tasks, tasks, strict=True), start=1):
            if (now.state, now.retries) != (then.state, then.retries):
                observer.task_changed(index, now, then)
        observer.looked(run)
        if run.state.is_final:
            return run
        state, tasks = run.state, run.tasks
        time.sleep(pause)
    raise AssertionError("polls never end")


def failures(run: RunView) -> tuple[TaskView, ...]:
    """Return the tasks that a run failed of."""
    return tuple(view for view in run.tasks if view.state is TaskState.FAILED)


def last_words(server: Server, run_id: str, view: TaskView, most: int = 12) -> str:
    """Return the end of a failed task's log: the error that our tasks end with, where there is one.

    The API server reads the pod's log, or its archive, at ``/apis/v1alpha1/runs/RUN/nodes/POD/log``
    (KFP's backend/src/apiserver/main.go). It is not always there, so that nothing depends on it.

    Args:
        server: The server.
        run_id: The run.
        view: The task.
        most: The most lines to return.

    Returns:
        Some lines, or "".
    """
    from urllib3.exceptions import HTTPError

    if not view.pod:
        return ""
    url = f"{server.target.api}/apis/v1alpha1/runs/{run_id}/nodes/{view.pod}/log"
    try:
        answer = server.get_plain(url)
        text = answer.data.decode(errors="replace")
    except (HTTPError, OSError, ClusterError):
        return ""
    if answer.status != 200 or "error_message" in text[-2000:]:
        return ""  # the server has begun to answer before it knows that there is no log
    return _end_of(text, most)


def _end_of(log: str, most: int) -> str:
    """Return what a log says of an error of ours, or its last lines."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    words = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)]
    return "\n".join(words[-most:] or lines[-most:])
