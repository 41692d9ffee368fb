"""The process in which KFP's local runner works: ``python -m kfp_sdg.compiler.local_child``.

The runner prints a lot, replaces the root logger's handlers and ``print`` itself; in a process of
its own it may. The first line of standard input has what to run as JSON: ``scratch`` (the run's
folder), ``package``, ``pipeline_root``, ``workspace_root``, ``arguments`` and ``containers``, which
is null where tasks are processes. The parent keeps its end of that pipe open: when the pipe ends,
the parent is gone, even if it was killed, and this process takes its group and its containers with
it, so that no task goes on paying for answers that nobody reads.

Signals that end the run are for the task at work, which takes in the answers that are on their way.
They reach a process with this one, since it is of the same group; a container has to be told.
This process ends when the task has, as after any task that failed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from kfp_sdg.compiler.containers.tasks import ContainerTasks


def main() -> None:
    """Run one compiled pipeline; a failure leaves as an exception, so that the status is not 0."""
    request = json.loads(sys.stdin.readline())
    pipe = os.dup(sys.stdin.fileno())
    # Tasks inherit standard input; it must not be the pipe, which one of them could read from.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    tasks = _containers(request["containers"])
    ending = threading.Thread(
        target=_end_with_parent, args=(pipe, request["scratch"], tasks), daemon=True
    )
    ending.start()

    def leave_to_task(number: int, frame: FrameType | None) -> None:
        if not (tasks.signal(number) if tasks else _has_child()):
            raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave_to_task)

    # Tasks run in this environment on purpose; no image is used, whatever the package names.
    warnings.filterwarnings("ignore", ".* non-Python base image ", RuntimeWarning)
    # Nor is there a pod whose CPU and memory could be limited.
    warnings.filterwarnings("ignore", "Task .* have no effect in the current local runner")

    from kfp import local
    from kfp.components import load_component_from_file

    from kfp_sdg.compiler.local_repair import repair_local_runner

    repair_local_runner()
    if tasks:
        from kfp.local import subprocess_task_handler

        subprocess_task_handler.SubprocessTaskHandler = tasks.handler
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=request["pipeline_root"],
        workspace_root=request["workspace_root"],
    )
    load_component_from_file(request["package"])(**request["arguments"])


def _containers(run: Mapping[str, Any] | None) -> ContainerTasks | None:
    """Return what runs tasks in containers, where they are to be in containers."""
    if run is None:
        return None
    from kfp_sdg.compiler.containers.setup import ContainerRun
    from kfp_sdg.compiler.containers.tasks import ContainerTasks

    os.umask(0o002)  # tasks are of this group
    return ContainerTasks(ContainerRun.from_json(run))


def _has_child() -> bool:
    """Tell whether a task is at work in a process."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _end_with_parent(pipe: int, scratch: str, tasks: ContainerTasks | None) -> None:
    """Wait for the end of the parent, then remove what the run has, and end the whole group."""
    os.read(pipe, 1)
    if tasks:
        tasks.remove()
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
