"""The command lines of containers, under the rules that OpenShift has for a pod (restricted-v2).

A user without a name, in the group of root; a root file system that cannot be written; no
capability, and none to be had; an empty folder at /tmp, as an emptyDir would be; whatever network
the task needs, which is mostly none.
"""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

from kfp_sdg.compiler.chain import SECRET_FOLDER
from kfp_sdg.compiler.containers.setup import ARBITRARY_USER
from kfp_sdg.compiler.containers.tool import gateway_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kfp_sdg.compiler.containers.needs import TaskNeeds
    from kfp_sdg.compiler.containers.routes import Route
from kfp_sdg.compiler.containers.setup import ContainerRun

DOORS = "/run/kfp-sdg/doors"
"""Where the gateway finds its sockets."""

HOSTS = "hosts"
"""The file in the folder of the sockets that tells tasks their teachers' names."""

_GATEWAY = "kfp_sdg.runtime.gateway"
_SELINUX = "/sys/fs/selinux/enforce"
_ACCESS = ("AWS_", "AZURE_", "FSSPEC_", "GOOGLE_")
"""How variables begin that storages at URLs are reached with."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def task_command(
    run: ContainerRun,
    name: str,
    image: str,
    command: Sequence[str],
    *,
    needs: TaskNeeds,
    pipeline_root: str,
    environment: Mapping[str, str],
    environ: Mapping[str, str] = os.environ,
) -> list[str]:
    """Return the command line that runs a task in a container, and ends when the task has.

    The teacher's key is not on it, nor is it a variable, which the tool would keep and show whoever
    inspects the container. What storages at URLs are reached with is on it by its names only.

    Args:
        run: The run.
        name: The container's name.
        image: The task's image.
        command: What the image is to run; an entry point of its own does not count, as in a pod.
        needs: What the task needs.
        pipeline_root: The folder of the run's artifacts.
        environment: The variables that the compiled pipeline sets.
        environ: Those of this process.
    """
    options = [
        *_confined(run, name),
        "--rm",
        f"--network={_network(run, needs)}",
        "--log-driver=none",
        # Signals are passed on by whoever started this, to all processes inside.
        "--sig-proxy=false",
        _mount(pipeline_root, writable=True),
        "--env=PYTHONUNBUFFERED=1",
        *(f"--env={name}={value}" for name, value in environment.items()),
    ]
    if run.plugins:
        options += [_mount(plugin.source, plugin.target) for plugin in run.plugins]
        paths = dict.fromkeys(plugin.python_path for plugin in run.plugins)
        options.append(f"--env=PYTHONPATH={os.pathsep.join(paths)}")
    if needs.rows:
        options.append(_mount(needs.rows))
    if needs.checkpoint:
        options.append(_mount(needs.checkpoint, writable=True))
    if needs.asks:
        options.append(_mount(os.path.join(run.doors, HOSTS), "/etc/hosts"))
        if run.key:  # where a pod finds its Secret, and the compiled pipeline says that it is
            options.append(_mount(run.key, SECRET_FOLDER))
    if needs.asks or needs.fetches:
        options += _certificates(run.certificates)
    if needs.fetches:
        access = [name for name in environ if _is_access(name) and name not in run.certificates]
        options += [f"--env={name}" for name in access]
    program, *arguments = command
    return [*options, *run.options, f"--entrypoint={program}", image, *arguments]


def gateway_command(
    run: ContainerRun, image: str, routes: Iterable[Route], order: str
) -> list[str]:
    """Return the command line that starts a gateway and leaves it running, to be removed.

    Args:
        run: The run.
        image: An image that has kfp_sdg.
        routes: The ways to the teachers.
        order: What the gateway is told.
    """
    options = [
        *_confined(run, gateway_name(run.name)),
        "--detach",
        "--network=none",
        "--sysctl=net.ipv4.ip_unprivileged_port_start=0",  # a teacher at port 80 or 443
        _mount(run.doors, DOORS, writable=True),
    ]
    if any(route.foreign for route in routes):
        # To make another machine's address its own, in its own network. No task has this.
        options += ["--cap-add=NET_ADMIN", "--user=0:0"]
    return [*options, "--entrypoint=python3", image, "-m", _GATEWAY, order]


def signal_arguments(name: str, number: int) -> list[str]:
    """Return the tool's arguments that send a signal to every process of a task.

    The container's first process may be a shell that waits for the task, or the task.

    Args:
        name: The container's name.
        number: The signal.
    """
    script = f"kill -{number} 1; kill -{number} -1; true"  # the second kill may find nobody
    return ["exec", name, "sh", "-c", script]


def _confined(run: ContainerRun, name: str) -> list[str]:
    """Return how every container begins."""
    options = [
        run.tool.path,
        "run",
        "--pull=never",
        f"--name={name}",
        f"--user={run.user}",
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
    ]
    if os.path.exists(_SELINUX):  # else mounts would need a label, for good
        options.append("--security-opt=label=disable")
    if run.tool.kind == "podman":
        options += ["--read-only-tmpfs=false", "--passwd=false", "--umask=0002"]
        if run.user != ARBITRARY_USER:
            options.append("--userns=keep-id")
    return options


def _network(run: ContainerRun, needs: TaskNeeds) -> str:
    if needs.asks:
        return f"container:{gateway_name(run.name)}"
    return "host" if needs.fetches else "none"


def _mount(source: str, target: str | None = None, *, writable: bool = False) -> str:
    """Return the option that mounts a file or folder, at its own path if no other is named."""
    fields = ["type=bind", f"source={source}", f"target={target or source}"]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields if writable else [*fields, "readonly"])
    return f"--mount={line.getvalue()}"


def _certificates(variables: Mapping[str, str]) -> list[str]:
    """Return the options by which a task trusts whom this machine trusts."""
    places = [place for place in dict.fromkeys(variables.values()) if os.path.exists(place)]
    mounts = [_mount(os.path.abspath(place)) for place in places]
    return [*mounts, *(f"--env={name}" for name in variables)]


def _is_access(name: str) -> bool:
    return name.startswith(_ACCESS) or name.upper() in _PROXIES
