"""The git command: it asks nobody, runs nothing of a repository, and comes to an end."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_PROTOCOLS = "file:git:http:https:ssh"
"""What git may fetch through; never ``ext``, which runs any command."""

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
}

_OF_ANOTHER_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
"""What git sets for a hook, and would take for the repository that is meant here."""

NO_GIT = "the git command is not installed, or not on the PATH"
"""What is wrong then."""


@dataclass(frozen=True, slots=True)
class GitResult:
    """What a git command gave back.

    Attributes:
        status: Its exit code; 0 when it went well.
        output: What it wrote to standard output.
        errors: What it wrote to standard error.
    """

    status: int
    output: bytes
    errors: str

    @property
    def last_words(self) -> str:
        """Git's own last line of complaint, without its label."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
        line = (telling or lines or ["no reason given"])[-1]
        return line.removeprefix("fatal:").removeprefix("error:").strip()


def run_git(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
    given: bytes = b"",
) -> GitResult:
    """Run git to its end.

    Args:
        arguments: Its arguments. Nothing secret: other users of the machine can see them.
        folder: Where it runs.
        environment: What ``git_environment`` made.
        timeout: After so many seconds it and all that it started is killed.
        given: What it reads from standard input.

    Raises:
        StorageError: There is no git, or the time is over.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell; arguments as a list
            ["git", *arguments],  # noqa: S607 - where the user has it
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # a session of its own: no terminal that ssh could ask on, and one group to kill
            start_new_session=True,
        )
    except FileNotFoundError:
        raise StorageError(NO_GIT) from None
    try:
        output, errors = process.communicate(given, timeout)
    except subprocess.TimeoutExpired:
        raise StorageError(f"git took longer than {timeout:g} seconds") from None
    finally:
        _end(process)
    return GitResult(process.returncode, output, errors.decode(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that still runs, with all that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def git_environment(
    environ: Mapping[str, str], settings: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Return the environment that git is to run in.

    Args:
        environ: The environment of this process.
        settings: Settings of git for this run alone, which are in no file: names and values.
    """
    made = {key: value for key, value in environ.items() if key not in _OF_ANOTHER_REPOSITORY}
    made |= {
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": environ.get("GIT_ASKPASS", ""),
        "SSH_ASKPASS_REQUIRE": "never",
        "GCM_INTERACTIVE": "never",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    for name, standard in (("GIT_SSL_CAINFO", "SSL_CERT_FILE"), ("GIT_SSL_CAPATH", "SSL_CERT_DIR")):
        if not made.get(name) and made.get(standard):
            made[name] = made[standard]
    number = int(made.get("GIT_CONFIG_COUNT") or 0)
    for key, value in (*_SETTINGS.items(), *settings):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        number += 1
    return made | {"GIT_CONFIG_COUNT": str(number)}
