"""The door to a teacher in a network that has nothing else: ``python -m kfp_sdg.runtime.gateway``.

Where tasks run in containers on one machine (``kfp-sdg run --runner container``), they share the
network of a container in which this runs: a loopback interface, and no other. For each teacher
there is a unix socket in a folder that both sides see; ``HostSide`` carries what comes by it to the
teacher. Inside, a ``Door`` listens where the teacher's address leads to. What is carried is
not looked into, so TLS works as without.

A server that is away refuses connections, and clients tell that from a connection that breaks. So
a door listens only while its teacher can be reached: the host side says so with one byte at the
beginning of each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
import threading
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

_REACHED = b"+"
_CHUNK = 1 << 16
_SECONDS_TO_CONNECT = 10.0
_SECONDS_BETWEEN_TRIES = 0.2

_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Door:
    """Where a teacher is found inside.

    Attributes:
        address: The IP address that its name leads to there, or that its URL names.
        port: Its port.
        socket: The unix socket that leads to it.
    """

    address: str
    port: int
    socket: str

    async def keep(self, tried: asyncio.Event) -> None:
        """Listen whenever the teacher can be reached, for ever.

        Args:
            tried: Set once it is known whether it can be reached.
        """
        while True:
            while (stream := await self._reach()) is None:
                tried.set()
                await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
            stream[1].close()
            lost = asyncio.Event()

            async def serve(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                lost: asyncio.Event = lost,
            ) -> None:
                if teacher := await self._reach():
                    await _join((reader, writer), teacher)
                else:
                    writer.transport.abort()
                    lost.set()

            server = await asyncio.start_server(serve, self.address, self.port)
            tried.set()
            await lost.wait()
            server.close()  # what is connected stays so

    async def _reach(self) -> Stream | None:
        """Open a connection to the teacher; None where that is away."""
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return None
        with contextlib.suppress(OSError):
            if await reader.read(len(_REACHED)) == _REACHED:
                return reader, writer
        writer.close()
        return None


class HostSide:
    """Carries what comes by unix sockets to servers; a context manager with a thread of its own."""

    def __init__(self, folder: Path, servers: Iterable[tuple[str, int]]) -> None:
        """Prepare the sockets.

        Args:
            folder: Where they are; named 0, 1, … in the order of the servers.
            servers: Host and port of each.
        """
        self._folder = folder
        self._servers = tuple(servers)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> HostSide:
        """Listen."""
        self._thread.start()
        for number, (host, port) in enumerate(self._servers):
            opened = _listening_socket(self._folder, str(number))
            asyncio.run_coroutine_threadsafe(self._listen(opened, host, port), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop. What is still connected is cut."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _listen(self, opened: socket.socket, host: str, port: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                teacher = await asyncio.wait_for(
                    asyncio.open_connection(host, port), _SECONDS_TO_CONNECT
                )
            except (OSError, TimeoutError):
                writer.close()
                return
            writer.write(_REACHED)
            await _join((reader, writer), teacher)

        await asyncio.start_unix_server(serve, sock=opened)


def main(text: str) -> None:
    """Keep doors until the process is ended.

    Args:
        text: JSON object with ``doors``, a list of objects with the attributes of ``Door``, and
            ``ready``, the path of a file to make once all doors are as they should be.
    """
    order = json.loads(text)
    doors = [Door(**door) for door in order["doors"]]
    for number, address in enumerate({door.address for door in doors}):
        _own(address, number)
    asyncio.run(_keep(doors, Path(order["ready"])))


async def _keep(doors: list[Door], ready: Path) -> None:
    tried = [asyncio.Event() for _ in doors]
    async with asyncio.TaskGroup() as group:
        for door, event in zip(doors, tried, strict=True):
            group.create_task(door.keep(event))
        for event in tried:
            await event.wait()
        ready.touch()


def _own(address: str, number: int) -> None:
    """Make an address one of this network's own, as those of the loopback interface are already.

    For teachers whose URL has an address in the place of a name. Needs CAP_NET_ADMIN.

    Args:
        address: The address.
        number: Another one for each address.
    """
    import fcntl

    ip = ip_address(address)
    if ip.is_loopback or ip.is_unspecified:
        return
    if isinstance(ip, IPv6Address):
        request = struct.pack("16sII", ip.packed, 128, socket.if_nametoindex("lo"))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFADDR, request)
        return
    name = f"lo:{number}".encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for call, value in ((_SIOCSIFADDR, ip.packed), (_SIOCSIFNETMASK, b"\xff" * 4)):
            fcntl.ioctl(any_socket, call, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, value))


def _listening_socket(folder: Path, name: str) -> socket.socket:
    """Return a socket that listens in a folder, however long the folder's path is.

    A socket's path may have 107 bytes; by way of the folder's descriptor it is short.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.bind(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)
    (folder / name).chmod(0o770)
    opened.listen(128)
    opened.setblocking(False)
    return opened


async def _join(one: Stream, other: Stream) -> None:
    """Carry what each side says to the other, until both have ended."""
    pours = [
        asyncio.ensure_future(_pour(one[0], other[1])),
        asyncio.ensure_future(_pour(other[0], one[1])),
    ]
    try:
        await asyncio.gather(*pours)
    except OSError:  # one side broke off; so does the other
        for stream in (one, other):
            stream[1].transport.abort()
    finally:
        for pour in pours:
            pour.cancel()
        for stream in (one, other):
            stream[1].close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(RuntimeError):  # the other side has closed meanwhile
        writer.write_eof()


if __name__ == "__main__":
    main(sys.argv[1])
