"""The container whose network asking tasks share, and the host's side of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.compiler.containers.command import DOORS, HOSTS, gateway_command
from kfp_sdg.compiler.containers.routes import hosts_file, routes_to
from kfp_sdg.compiler.containers.tool import gateway_name, in_one_line
from kfp_sdg.errors import ClusterError
from kfp_sdg.runtime.encoding import dump_json
from kfp_sdg.runtime.gateway import HostSide

if TYPE_CHECKING:
    from kfp_sdg.compiler.containers.setup import ContainerRun

_READY = "ready"
_SECONDS_TO_OPEN = 60.0
_SECONDS_BETWEEN_LOOKS = 0.02


class Gateway:
    """The way from a run's tasks to its teachers, opened when the first task asks."""

    def __init__(self, run: ContainerRun) -> None:
        """Prepare the way.

        Args:
            run: The run.
        """
        self._run = run
        self._routes = routes_to(run.teachers)
        self._open = False

    def open(self, image: str) -> None:
        """Open the way, once.

        Args:
            image: An image that has kfp_sdg.

        Raises:
            ClusterError: It does not open.
        """
        if self._open:
            return
        folder = Path(self._run.doors)
        (folder / HOSTS).write_text(hosts_file(self._routes), encoding="utf-8")
        servers = [(route.host, route.port) for route in self._routes]
        HostSide(folder, servers).__enter__()  # until this process ends
        doors = [
            {"address": route.address, "port": route.port, "socket": f"{DOORS}/{number}"}
            for number, route in enumerate(self._routes)
        ]
        order = dump_json({"doors": doors, "ready": f"{DOORS}/{_READY}"})
        line = gateway_command(self._run, image, self._routes, order)
        self._run.tool.ask(*line[1:])
        self._wait_for(folder / _READY)
        self._open = True

    def _wait_for(self, ready: Path) -> None:
        tool, name = self._run.tool, gateway_name(self._run.name)
        latest = time.monotonic() + _SECONDS_TO_OPEN
        while not ready.exists():
            running = tool.ask("inspect", "--format", "{{.State.Running}}", name).strip() == "true"
            if not running or time.monotonic() > latest:
                why = in_one_line(tool.ask("logs", name)) or "it says nothing"
                raise ClusterError(f"the way to the teacher does not open; container {name}: {why}")
            time.sleep(_SECONDS_BETWEEN_LOOKS)
