"""The door to a teacher: what is carried, and when it is shut."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.runtime.gateway import HostSide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = bytes(range(256)) * 20_000


class Echo:
    """A server that sends back what it gets, in capitals, once the client has said all."""

    def __init__(self) -> None:
        self.port = 0
        self._opened: socket.socket | None = None

    def start(self) -> None:
        self._opened = socket.create_server(("127.0.0.1", self.port))
        self.port = self._opened.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._opened,), daemon=True).start()

    def stop(self) -> None:
        assert self._opened is not None
        self._opened.shutdown(socket.SHUT_RDWR)
        self._opened.close()

    def _serve(self, opened: socket.socket) -> None:
        while True:
            try:
                client, _ = opened.accept()
            except OSError:
                return
            with client:
                client.sendall(read_all(client).upper())


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def ask(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose path is too long for a socket's."""
    path = tmp_path / ("long" * 30)
    path.mkdir()
    return path


def opened(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a gateway as in its container, and wait for it. Its sockets' paths have to be short."""
    doors = [{"address": "127.0.0.1", "port": port, "socket": "0"}]
    order = json.dumps({"doors": doors, "ready": "ready"})
    process = subprocess.Popen([sys.executable, "-m", "kfp_sdg.runtime.gateway", order], cwd=folder)
    while not (folder / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    return process


def refused(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            return False
    except ConnectionRefusedError:
        return True


def until(condition: object) -> None:
    """Wait some seconds for something to become true."""
    for _ in range(200):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.05)
    pytest.fail("it did not come true")


def test_what_is_said_comes_through_whole_in_both_directions(folder: Path, echo: Echo) -> None:
    port = free_port()
    with HostSide(folder, [("127.0.0.1", echo.port)]):
        gateway = opened(folder, port)
        try:
            assert ask(port, b"hello") == b"HELLO"
            assert ask(port, LARGE) == LARGE.upper()
        finally:
            gateway.kill()
            gateway.wait()


def test_a_teacher_that_goes_away_refuses_connections_until_it_is_back(
    folder: Path, echo: Echo
) -> None:
    port = free_port()
    with HostSide(folder, [("127.0.0.1", echo.port)]):
        gateway = opened(folder, port)
        try:
            assert ask(port, b"one") == b"ONE"
            echo.stop()
            until(lambda: refused(port))
            echo.start()
            until(lambda: not refused(port))
            assert ask(port, b"two") == b"TWO"
        finally:
            gateway.kill()
            gateway.wait()


def test_a_door_to_a_teacher_that_is_not_there_yet_is_shut_and_the_gateway_ready(
    folder: Path,
) -> None:
    port = free_port()
    with HostSide(folder, [("127.0.0.1", free_port())]):
        gateway = opened(folder, port)
        try:
            assert refused(port)
        finally:
            gateway.kill()
            gateway.wait()


def test_the_gateway_needs_the_standard_library_only() -> None:
    code = (
        "import sys, kfp_sdg.runtime.gateway\n"
        "print([n for n in ('pyarrow', 'kfp', 'aiohttp', 'yaml') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
