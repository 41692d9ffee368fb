"""A registry of images on loopback, with a certificate that only those who are told trust."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from certificates import self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTAINERS = os.environ.get("KFP_SDG_CONTAINERS", Path(__file__).parents[1] / "build/containers")
_FETCHED = Path(_CONTAINERS, "bin", "docker-registry")
"""Where images/podman/bootstrap.sh puts the program."""

_CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/storage}}}}
http: {{addr: "{name}", tls: {{certificate: {folder}/certificate.pem, key: {folder}/key.pem}}}}
"""


@dataclass(frozen=True)
class Registry:
    """A registry that is running.

    Attributes:
        name: What stands before the images' paths: "127.0.0.1:5000".
        environment: What lets skopeo trust it.
    """

    name: str
    environment: dict[str, str]

    def skopeo(self, *arguments: str) -> bytes:
        """Run skopeo and return what it prints."""
        done = subprocess.run(
            ["skopeo", *arguments], env=self.environment, check=False, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """Run Debian's docker-registry for the time of a test; skip where it or skopeo is missing."""
    program = shutil.which("docker-registry") or shutil.which(_FETCHED)
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("needs docker-registry and skopeo; images/podman/bootstrap.sh gets them")
    certificate, _ = self_signed(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    name = f"127.0.0.1:{port}"
    (folder / "registry.yml").write_text(_CONFIGURATION.format(folder=folder, name=name))
    command = [program, "serve", str(folder / "registry.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield Registry(name, {**os.environ, "SSL_CERT_FILE": str(certificate)})
        finally:
            server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while True:
        assert server.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
