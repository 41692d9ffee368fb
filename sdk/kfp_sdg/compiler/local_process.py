"""The process that KFP's local runner works in, and what it is given."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import ClusterError, Terminated
from kfp_sdg.teacher.credentials import KEY_VARIABLE, find_api_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from kfp_sdg.compiler.containers.setup import ContainerRun

logger = logging.getLogger(__name__)

_SECONDS_TO_STOP = 5.0
_SECONDS_TO_REMOVE = 30.0
_SECONDS_TO_END_IN_ORDER = 30.0
"""What Kubernetes gives a pod; a task takes in the answers that are on their way."""


class LocalRunner:
    """A run of a compiled pipeline; a context manager that leaves no process or container behind.

    Attributes:
        pipeline_root: The folder that the tasks' artifacts are kept in.
    """

    def __init__(
        self,
        package: str,
        arguments: Mapping[str, Any],
        scratch: Path,
        containers: ContainerRun | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            package: The compiled pipeline as YAML.
            arguments: The values of the pipeline's parameters.
            scratch: A folder for everything that the run writes.
            containers: The tasks' containers; None where tasks are processes.
        """
        self.pipeline_root = scratch / "artifacts"
        self._scratch = scratch
        self._containers = containers
        self._request = {
            "scratch": str(scratch),
            "package": str(scratch / "pipeline.yaml"),
            "pipeline_root": str(self.pipeline_root),
            "workspace_root": str(scratch / "workspace"),
            "arguments": dict(arguments),
            "containers": containers and containers.to_json(),
        }
        (scratch / "pipeline.yaml").write_text(package, encoding="utf-8")
        (scratch / "tmp").mkdir()

    def __enter__(self) -> LocalRunner:
        """Start the run."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kfp_sdg.compiler.local_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=self._environment(),
            # A group of its own, so that the tasks can be stopped together with the runner.
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the runner and its tasks, if they still work; after a SIGTERM in order."""
        try:
            self._end(error)
        finally:
            if self._containers:
                self._remove(self._containers)

    def _end(self, error: BaseException | None) -> None:
        """Stop the processes, and close the pipes."""
        if self._process.poll() is None:
            if isinstance(error, Terminated):
                logger.warning(
                    "stopping: what the teacher is writing now is waited for, up to %d seconds; a "
                    "second signal stops at once",
                    _SECONDS_TO_END_IN_ORDER,
                )
                self._stop(signal.SIGTERM, _SECONDS_TO_END_IN_ORDER)
            else:
                self._stop(signal.SIGINT, _SECONDS_TO_STOP)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe:
                    pipe.close()

    def output(self) -> Iterator[str]:
        """Yield the lines that the runner and its tasks print, until they are done."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the runner was started without pipes")
        with contextlib.suppress(BrokenPipeError):  # a child that is gone says why in its output
            stdin.write(json.dumps(self._request) + "\n")
            stdin.flush()  # and stays open: its end tells the child that this process is gone
        yield from stdout

    def succeeded(self) -> bool:
        """Wait for the end, and tell what the runner says about it."""
        return self._process.wait() == 0

    def _stop(self, number: signal.Signals, seconds: float) -> None:
        """End the runner's whole group: at the first signal politely, then for good."""
        try:
            self._signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        finally:  # also where another signal says that this takes too long
            if self._containers and self._process.stdin:
                # It removes them and ends, even if nobody has the patience to wait for that.
                with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                    self._process.stdin.close()
                    self._process.wait(_SECONDS_TO_REMOVE)
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _remove(self, containers: ContainerRun) -> None:
        """Remove what is left of the run's containers, without hiding the run's own error."""
        try:
            containers.tool.remove_run(containers.name)
        except ClusterError as error:
            logger.warning("containers called %s-… may be left: %s", containers.name, error)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _environment(self) -> dict[str, str]:
        """Return this process's environment with what the tasks need.

        Tasks look for the API key's file where a cluster mounts it. Containers have it there;
        processes are given the key as a value. They find what this process can import (plugins),
        print at once, and leave their temporary files (KFP never removes its own) in the scratch
        folder.
        """
        key = find_api_key(os.environ)
        return {
            **os.environ,
            **({KEY_VARIABLE: key.value} if key.given and not self._containers else {}),
            "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self._scratch / "tmp"),
        }
