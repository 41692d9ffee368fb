"""The containers of a run's tasks, in the process that KFP's local runner works in."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.containers.command import signal_arguments, task_command
from kfp_sdg.compiler.containers.gateway import Gateway
from kfp_sdg.compiler.containers.needs import needs_of
from kfp_sdg.errors import ClusterError
from kfp_sdg.runtime.console import ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.compiler.containers.setup import ContainerRun

_KILLED = 137
_OF_THE_TOOL = (125, 126, 127)
"""What podman and docker end with when a container did not begin."""

_TRIES_TO_SIGNAL = 5
_SECONDS_BETWEEN_TRIES = 0.3

_SAYS = ("Error: ", "docker: ")
_LAST_LINES = 4


class ContainerTasks:
    """Runs tasks in containers, in the place of KFP's own handler of tasks.

    KFP's handler for docker calls a failure a success when the container is gone before its exit
    code is asked for (kubeflow/pipelines#13332), and puts an image's entry point before the
    command.
    """

    def __init__(self, run: ContainerRun) -> None:
        """Begin a run; no container is started yet.

        Args:
            run: The run.
        """
        self._run = run
        self._gateway = Gateway(run)
        self._lock = threading.Lock()
        self._started = 0
        self._removing = False
        self._at_work: dict[str, subprocess.Popen[str]] = {}

    def handler(
        self,
        image: str,
        full_command: Sequence[str],
        pipeline_root: str,
        runner: Any,
        env_vars: Mapping[str, str] | None = None,
    ) -> _Handler:
        """Return what runs one task, as KFP's dispatcher asks for it.

        Args:
            image: The task's image.
            full_command: What it is to run.
            pipeline_root: The folder of the run's artifacts.
            runner: KFP's settings, which containers have no use for.
            env_vars: The variables that the compiled pipeline sets.
        """
        return _Handler(self, image, full_command, pipeline_root, dict(env_vars or {}))

    def signal(self, number: int) -> bool:
        """Send a signal to all processes of the tasks at work.

        Args:
            number: The signal.

        Returns:
            Whether there is a task at work.
        """
        names = tuple(self._at_work)
        for name in names:
            for _ in range(_TRIES_TO_SIGNAL):  # the container may be about to begin
                with contextlib.suppress(ClusterError):
                    self._run.tool.ask(*signal_arguments(name, number))
                    break
                time.sleep(_SECONDS_BETWEEN_TRIES)
        return bool(names)

    def remove(self) -> None:
        """End all containers at once and remove them; this process is to end after that."""
        self._removing = True
        for process in tuple(self._at_work.values()):
            process.kill()
        with contextlib.suppress(ClusterError):  # nobody is left to be told
            self._run.tool.remove_run(self._run.name)

    def run_task(
        self, image: str, command: Sequence[str], pipeline_root: str, environment: dict[str, str]
    ) -> bool:
        """Run a task, print what it prints, and tell whether it succeeded.

        Args:
            image: The task's image.
            command: What it is to run.
            pipeline_root: The folder of the run's artifacts.
            environment: The variables that the compiled pipeline sets.

        Raises:
            ClusterError: It cannot be run.
        """
        needs = needs_of(command)
        with self._lock:
            self._started += 1
            name = f"{self._run.name}-{self._started}"
            if needs.asks:
                self._gateway.open(image)
        line = task_command(
            self._run,
            name,
            image,
            command,
            needs=needs,
            pipeline_root=pipeline_root,
            environment=environment,
        )
        status, last_lines = self._carry_out(name, line)
        if status == _KILLED:
            raise ClusterError(
                "the task's container was killed (SIGKILL): most likely it ran out of memory, or "
                "somebody ended it"
            )
        if status < 0:
            raise ClusterError(
                f"{self._run.tool.kind} was ended by signal {-status} before the task was done"
            )
        said = [text.partition(": ")[2] for text in last_lines if text.startswith(_SAYS)]
        if status in _OF_THE_TOOL and said:
            kind, reason = self._run.tool.kind, said[-1].strip()
            raise ClusterError(f"{kind} could not run the task's container: {reason}")
        return status == 0

    def _carry_out(self, name: str, line: list[str]) -> tuple[int, tuple[str, ...]]:
        """Run a container to its end; return its exit status and the last lines that it printed."""
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with subprocess.Popen(  # noqa: S603 - no shell; arguments as a list
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            bufsize=1,
            # What watches a container of podman's leaves a file there when memory runs out.
            cwd=self._run.scratch,
            # Out of the runner's group: a signal to that must not end the tool before its task.
            start_new_session=True,
        ) as process:
            self._at_work[name] = process
            try:
                for text in process.stdout or ():
                    last.append(text)
                    print(text, end="")  # noqa: T201 - KFP's, which indents what tasks say
                return process.wait(), tuple(last)
            finally:
                del self._at_work[name]
                if self._removing:  # else the process would be gone before the containers
                    threading.Event().wait()


class _Handler:
    """One task."""

    def __init__(
        self,
        tasks: ContainerTasks,
        image: str,
        command: Sequence[str],
        pipeline_root: str,
        environment: dict[str, str],
    ) -> None:
        self._tasks = tasks
        self._task = (image, command, pipeline_root, environment)

    def run(self) -> Any:
        """Run the task and return KFP's status."""
        from kfp.local.status import Status

        try:
            succeeded = self._tasks.run_task(*self._task)
        except ClusterError as error:
            print(f"{ERROR}{error}")  # noqa: T201 - as a task says its last words
            succeeded = False
        return Status.SUCCESS if succeeded else Status.FAILURE
