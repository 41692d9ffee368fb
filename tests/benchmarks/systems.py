"""The systems that run a flow, each as a command."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.venvs import PEERS, InstallError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.venvs import Peer

DRIVERS = Path(__file__).parent / "peers"
_QUIET = {"NEMO_TELEMETRY_ENABLED": "false", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
"""Peers must not call out, nor wait for a network that a machine does not have."""


@dataclass(frozen=True)
class Command:
    """What to run.

    Attributes:
        arguments: Program and arguments.
        environment: Variables beside those of this process.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]


class System:
    """Something that can run a flow in the folder where ``flows.write`` left it.

    Attributes:
        name: What the table calls it.
        ours: Whether others are compared with it.
    """

    name: str
    ours = False

    def command(self, url: str, flow: str, checkpoint: Path | None = None) -> Command:
        """Return what to run; with a checkpoint, what it needs to resume is kept there."""
        raise NotImplementedError

    def rows(self, folder: Path, output: str) -> int | None:
        """Return how many rows came out; None: the run left nothing."""
        raise NotImplementedError


@dataclass(frozen=True)
class Ours(System):
    """``kfp-sdg run --runner engine``, as a user types it.

    Attributes:
        options: Further options of the command.
        ours: Whether it is the line that others are compared with.
    """

    name: str = "kfp-sdg"
    options: Sequence[str] = ()
    ours: bool = True

    def command(self, url: str, flow: str, checkpoint: Path | None = None) -> Command:
        program = str(Path(sys.executable).with_name("kfp-sdg"))
        run = [program, "run", "pipeline.yaml", "--runner", "engine", "--teacher-url", url]
        files = ["--input", "rows.jsonl", "--output", "out", "--model-family", "blank"]
        kept = ["--checkpoint", str(checkpoint)] if checkpoint else []
        return Command([*run, *files, *kept, *self.options], {})

    def rows(self, folder: Path, output: str) -> int | None:
        manifest = folder / "out" / "dataset" / "_manifest.json"
        if not manifest.exists():
            return None
        return int(json.loads(manifest.read_text(encoding="utf-8"))["rows"])


@dataclass(frozen=True)
class Driven(System):
    """A system behind a driver script of the folder ``peers``.

    Attributes:
        driver: The script.
        python: The interpreter that has what it needs.
        settings: The driver's settings, by name.
    """

    name: str
    driver: str
    python: Path = field(default_factory=lambda: Path(sys.executable))
    settings: Mapping[str, int] = field(default_factory=dict)

    def command(self, url: str, flow: str, checkpoint: Path | None = None) -> Command:
        run = [str(self.python), str(DRIVERS / self.driver), "--url", url, "--flow", flow]
        settings = [f"--set={name}={value}" for name, value in self.settings.items()]
        kept = ["--checkpoint", str(checkpoint)] if checkpoint else []
        return Command([*run, *settings, *kept], _QUIET)

    def rows(self, folder: Path, output: str) -> int | None:
        lines = [line for line in output.splitlines() if line.startswith('{"rows"')]
        return int(json.loads(lines[-1])["rows"]) if lines else None


OURS = Ours()
OURS_WITHOUT_JOURNAL = Ours("kfp-sdg, no checkpoint", ("--no-checkpoint",), ours=False)


def aiohttp_loop(concurrency: int) -> System:
    """Return the floor with a fixed number of requests in flight."""
    settings = {"concurrency": concurrency}
    return Driven(f"aiohttp loop, {concurrency}", "aiohttp_driver.py", settings=settings)


def openai_loop(concurrency: int) -> System:
    """Return the usual client with a fixed number of requests in flight."""
    settings = {"concurrency": concurrency}
    return Driven(f"AsyncOpenAI, {concurrency}", "openai_driver.py", settings=settings)


_SETTINGS: Mapping[str, Sequence[tuple[str, Mapping[str, int]]]] = {
    "instructlab-sdg": (("defaults", {}), ("64 × 2", {"batch": 64, "workers": 2})),
    "sdg-hub": (("128", {"concurrency": 128}),),
    "distilabel": (("batch 250", {"batch": 250}),),
    "data-designer": (("64", {"concurrency": 64}),),
}
"""The settings that each peer is measured with: the best that were found; upstream's own, too."""

RESUMING: Mapping[str, Mapping[str, int]] = {
    "instructlab-sdg": {"batch": 8, "workers": 4},
    "sdg-hub": {"save_every": 50, "concurrency": 16},
    "distilabel": {"batch": 50},
    "data-designer": {"buffer": 50, "concurrency": 16},
}
"""The settings for being killed and resumed: such that something was saved half way."""


@dataclass(frozen=True)
class Missing:
    """A peer that could not be installed, and why."""

    name: str
    why: str


def installed(peer: Peer) -> tuple[Path, str] | Missing:
    """Install a peer; say so where that fails."""
    try:
        return peer.install()
    except InstallError as error:
        return Missing(peer.name, str(error))


def peers() -> tuple[list[System], list[System], list[Missing]]:
    """Install the peers.

    Returns:
        The systems for the speed tables, those for the resume table, and what is missing.
    """
    fast: list[System] = []
    resuming: list[System] = []
    missing = []
    for peer in PEERS:
        found = installed(peer)
        if isinstance(found, Missing):
            missing.append(found)
            continue
        python, requirement = found
        name = requirement.split()[0].replace("==", " ").replace("[openai]", "")
        for label, settings in _SETTINGS[peer.name]:
            fast.append(Driven(f"{name}, {label}", peer.driver, python, settings))
        resuming.append(Driven(name, peer.driver, python, RESUMING[peer.name]))
    return fast, resuming, missing
