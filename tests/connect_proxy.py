"""A proxy as companies have one: CONNECT for TLS, whole URLs for plain HTTP, a password if wanted.

with ConnectProxy(stub.port) as proxy:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    ...
    assert proxy.targets == ["teacher.example:443"]
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """The proxy; a context manager that runs it in a thread of its own.

    Attributes:
        port: The port on loopback that every host leads to.
        login: "user:password" that it wants; None for no login.
        status: What it answers in the place of a connection; None to connect.
        targets: What it was asked for: "host:port", in order.
    """

    port: int
    login: str | None = None
    status: str | None = None
    targets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The proxy's URL, with the login if it wants one."""
        login = f"{self.login}@" if self.login else ""
        return f"http://{login}{self.address}"

    def __enter__(self) -> ConnectProxy:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(timeout=10)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        refusal = self._refusal(head)
        if refusal:
            writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        self.targets.append(target if method == "CONNECT" else target.split("/")[2])
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            to_writer.write(head)
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))

    def _refusal(self, head: bytes) -> str | None:
        if self.status:
            return self.status
        if self.login is None:
            return None
        wanted = b"basic " + base64.b64encode(self.login.encode())
        given = [
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"proxy-authorization:")
        ]
        if [value[:6].lower() + value[6:] for value in given] == [wanted]:
            return None
        return '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"'


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof() if writer.can_write_eof() else writer.close()
