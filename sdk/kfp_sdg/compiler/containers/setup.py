"""What a run of tasks in containers is given, made ready before its first task."""

from __future__ import annotations

import os
import secrets
import shlex
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kfp_sdg.compiler.containers.access import hand_over_key, open_checkpoint, require_readable
from kfp_sdg.compiler.containers.plugins import PluginMount, plugin_mounts
from kfp_sdg.compiler.containers.tool import ContainerTool
from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.teacher.credentials import find_api_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

OPTIONS_VARIABLE = "KFP_SDG_CONTAINER_OPTIONS"
"""Further options for each task's container, as a shell would split them: "--memory=2g"."""

ARBITRARY_USER = "1000650000:0"
"""A user as OpenShift picks one for a namespace: no name, no home, the group of root."""

_DOORS = "doors"
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "AWS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """A run's containers.

    Attributes:
        tool: What runs them.
        name: How their names begin.
        user: The user and group of their processes.
        scratch: The run's folder.
        teachers: The base URLs of all teachers.
        plugins: What plugins are imported from.
        certificates: The variables that name certificate authorities, and their values.
        key: The folder that has the teacher's key, as a Secret is mounted; "" where there is none.
        options: Further options for each task.
    """

    tool: ContainerTool
    name: str
    user: str
    scratch: str
    teachers: tuple[str, ...] = ()
    plugins: tuple[PluginMount, ...] = ()
    certificates: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    options: tuple[str, ...] = ()

    @property
    def doors(self) -> str:
        """The folder of the gateway's sockets."""
        return os.path.join(self.scratch, _DOORS)

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, run: Mapping[str, Any]) -> ContainerRun:
        """Return the run that ``to_json`` gave."""
        return cls(
            tool=ContainerTool(**run["tool"]),
            name=run["name"],
            user=run["user"],
            scratch=run["scratch"],
            teachers=tuple(run["teachers"]),
            plugins=tuple(PluginMount(**mount) for mount in run["plugins"]),
            certificates=run["certificates"],
            key=run["key"],
            options=tuple(run["options"]),
        )


def prepare_run(
    tool: ContainerTool,
    scratch: Path,
    *,
    images: Iterable[str],
    teachers: Collection[str],
    rows: str,
    checkpoint: str | None,
    plugins: Iterable[str],
) -> ContainerRun:
    """Make ready what tasks in containers need, and find what cannot work.

    As root, tasks are a user as OpenShift picks one. An ordinary user's tasks are that user, with
    the group of root, since he can give files to nobody else.

    Args:
        tool: What runs containers.
        scratch: The run's folder, empty.
        images: The images of its tasks.
        teachers: The base URLs of all teachers.
        rows: Where the first rows are.
        checkpoint: Where answers are kept.
        plugins: Modules that the tasks import.

    Raises:
        SpecError: A teacher is behind a proxy, or the checkpoint at a URL, where a task without a
            network cannot write; or the further options cannot be split.
        StorageError: Tasks could not read or write something.
        ClusterError: An image is missing, or the tool does not work.
    """
    options = _further_options()
    _require_no_proxy(teachers)
    tool.require_images(images)
    mounts = plugin_mounts(plugins)
    certificates = {name: os.environ[name] for name in _CERTIFICATES if os.environ.get(name)}
    user = f"{os.geteuid()}:0"
    if os.geteuid() == 0:
        user = ARBITRARY_USER
        require_readable(rows.removeprefix("file://"), "the input")
        for mount in mounts:
            require_readable(mount.module, "a plugin")
        for name, place in certificates.items():
            require_readable(place, name)
    to_group = user == ARBITRARY_USER
    if checkpoint is not None:
        open_checkpoint(checkpoint, to_group=to_group)
    for name in ("artifacts", _DOORS):
        (scratch / name).mkdir()
        (scratch / name).chmod(0o2775)
    return ContainerRun(
        tool=tool,
        name=f"kfp-sdg-{secrets.token_hex(6)}",
        user=user,
        scratch=str(scratch),
        teachers=tuple(dict.fromkeys(teachers)),
        plugins=mounts,
        certificates=certificates,
        key=hand_over_key(find_api_key(os.environ), str(scratch / "key"), to_group=to_group),
        options=options,
    )


def _require_no_proxy(teachers: Iterable[str]) -> None:
    """Make sure that teachers can be reached directly, as tasks will.

    Raises:
        SpecError: The environment names a proxy for one.
    """
    from kfp_sdg.teacher.proxies import proxy_for

    for url in filter(proxy_for, teachers):
        raise SpecError(
            Problem(
                f"the environment names a proxy for {url}, and a task in a container reaches its "
                "teacher directly",
                Position("teacher"),
                expected="a teacher that needs no proxy",
                suggestion=f"add {urlsplit(url).hostname} to NO_PROXY if it needs none, or use "
                "another runner",
                code="container-proxy",
            )
        )


def _further_options() -> tuple[str, ...]:
    """Return the options for each task that the environment has.

    Raises:
        SpecError: No shell would understand them.
    """
    try:
        return tuple(shlex.split(os.environ.get(OPTIONS_VARIABLE, "")))
    except ValueError as error:
        raise SpecError(
            Problem(
                str(error),
                Position(OPTIONS_VARIABLE),
                expected="options of podman run or docker run, as a shell would take them",
                code="container-options",
            )
        ) from error
