"""podman or docker, whichever is there, as a program."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kfp_sdg.errors import ClusterError, Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

TOOL_VARIABLE = "KFP_SDG_CONTAINER_TOOL"
"""The environment variable that names the program."""

_KNOWN: tuple[Literal["podman"], Literal["docker"]] = ("podman", "docker")
"""In this order, since a ``docker`` may be podman, and says so."""

_SECONDS_TO_ANSWER = 120.0
"""For everything but a task: a machine under load takes its time."""


@dataclass(frozen=True, slots=True)
class ContainerTool:
    """A program that runs containers.

    Attributes:
        path: The program.
        kind: Whose options it takes. A ``docker`` that is podman counts as podman.
    """

    path: str
    kind: Literal["podman", "docker"]

    def ask(self, *arguments: str) -> str:
        """Run the program and return what it prints; of ``logs`` both streams, as they were.

        Raises:
            ClusterError: It fails; with what it says.
        """
        try:
            done = subprocess.run(  # noqa: S603 - no shell; arguments as a list
                [self.path, *arguments],
                check=False,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=_SECONDS_TO_ANSWER,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ClusterError(f"{self.path} cannot be used: {error}") from error
        if done.returncode != 0:
            raise ClusterError(
                f"{self.path} does not work here: `{os.path.basename(self.path)} {arguments[0]}` "
                f"ended with status {done.returncode} and says: "
                f"{in_one_line(done.stderr) or 'nothing'}"
            )
        return done.stdout + (done.stderr if arguments[0] == "logs" else "")

    def require_images(self, images: Iterable[str]) -> None:
        """Make sure that images are on this machine. Nothing is pulled.

        Args:
            images: Their full names.

        Raises:
            ClusterError: One is not there, or the program does not work.
        """
        missing = [image for image in images if not self.ask("images", "--quiet", image).strip()]
        if not missing:
            return
        names, them = " and ".join(missing), "it" if len(missing) == 1 else "them"
        raise ClusterError(
            f"{names}: not among the images of {self.kind} on this machine, and nothing is pulled "
            f"unasked. `make images` in a checkout of kfp-sdg builds {them}; "
            f"`{self.kind} pull {missing[0]}` fetches {them} from a registry"
        )

    def remove_run(self, run: str) -> None:
        """Remove all containers of a run, whatever they are doing.

        Args:
            run: The beginning of their names. The gateway, whose network the others share, goes
                last.

        Raises:
            ClusterError: The program does not work.
        """
        listed = self.ask("ps", "--all", "--filter", f"name={run}", "--format", "{{.Names}}")
        names = [name for name in listed.split() if name.startswith(run)]
        gateways = [name for name in names if name == gateway_name(run)]
        for group in ([name for name in names if name not in gateways], gateways):
            if group:
                self.remove(group)

    def remove(self, names: Iterable[str]) -> None:
        """Kill and remove containers; one that is gone already is no error.

        Raises:
            ClusterError: The program does not work.
        """
        try:
            self.ask(*self.removal(names))
        except ClusterError as error:
            if "no such container" not in str(error).lower():
                raise

    def removal(self, names: Iterable[str]) -> list[str]:
        """Return the arguments that kill and remove containers."""
        at_once = ["--time=0"] if self.kind == "podman" else []
        return ["rm", "--force", *at_once, *names]


def find_tool(wanted: str | None = None) -> ContainerTool:
    """Return the program that runs containers.

    Args:
        wanted: Its name or path; None for the one that the environment names, else podman, else
            docker.

    Raises:
        SpecError: There is none, or it is another program.
        ClusterError: It does not say what it is.
    """
    named = wanted or os.environ.get(TOOL_VARIABLE, "").strip()
    candidates = (named,) if named else _KNOWN
    path = next(filter(None, map(shutil.which, candidates)), None)
    if path is None:
        raise _no_tool(
            f"there is no program {named!r}" if named else "neither podman nor docker is on PATH"
        )
    path = os.path.abspath(path)
    version = ContainerTool(path, "docker").ask("--version").strip()
    for kind in _KNOWN:
        if kind in version.lower():
            return ContainerTool(path, kind)
    says = version.partition("\n")[0]
    raise _no_tool(f"{path} is neither podman nor docker: its --version says {says!r}")


def _no_tool(message: str) -> SpecError:
    return SpecError(
        Problem(
            message,
            Position("container tool"),
            expected="podman or docker",
            suggestion=f"install podman, or name it with --container-tool or {TOOL_VARIABLE}",
            code="container-tool",
        )
    )


def gateway_name(run: str) -> str:
    """Return the name of the container whose network a run's asking tasks share."""
    return f"{run}-gateway"


def in_one_line(text: str) -> str:
    """Return the last lines of what a program says, which hold the reason, as one line."""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:])
