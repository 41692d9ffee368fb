"""The benchmark's server as a process of its own, and questions to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.stub_server import Settings


class ServerProcess:
    """A context manager: ``stub_server`` runs, on a free port.

    Attributes:
        url: The base URL for clients, with /v1.
    """

    def __enter__(self) -> ServerProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stub_server"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        assert self._process.stdout is not None
        self._root = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.url = f"{self._root}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def reset(self, settings: Settings) -> None:
        """Forget what was served and behave like that from now on."""
        self._ask("/reset", json.dumps(asdict(settings)).encode())

    def stats(self) -> dict[str, Any]:
        """Return what was served; see ``stub_server.Slots.stats``."""
        result: dict[str, Any] = json.loads(self._ask("/stats"))
        return result

    def count(self) -> tuple[int, int]:
        """Return how many answers were asked for, and how many of them are in flight."""
        counts = json.loads(self._ask("/count"))
        return counts["begun"], counts["in_flight"]

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self._root + path, body, timeout=60) as response:
            content: bytes = response.read()
        return content
