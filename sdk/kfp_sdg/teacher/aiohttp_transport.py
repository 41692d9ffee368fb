"""The transport that teachers use by default, made of aiohttp.

Chosen by measurement: 1,000 requests cost 0.15 s of CPU, against 1.3 s and more through the
``openai`` package's asynchronous client. ``connect`` imports this module when a teacher is wanted.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from contextvars import ContextVar
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from kfp_sdg.teacher.certificates import tls_context
from kfp_sdg.teacher.transport import NoReply, Reply, Trouble, is_plain_loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from kfp_sdg.teacher.credentials import ApiKey

_LARGEST_BODY = 256 << 20
"""Bytes of an answer, unpacked. An answer of 32,000 tokens with twenty log-probabilities for each
has some 50 MB."""

_IDLE_SECONDS = 4.0
"""How long an unused connection is kept: vLLM (uvicorn) and llama.cpp close theirs after 5 s."""

_CLOSED_BEFORE = 1.0
"""Seconds. A used connection that ends later was not closed while it was idle: the server has
worked on the request, and asking again costs a try."""

_LARGE = 1 << 20
"""Bytes from which a request's body is handed over as a stream; aiohttp warns of larger ones."""

_DRIP = 2.0
"""An answer that keeps coming byte by byte may take so many times the limit of silence."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds of silence before the other machine is asked for a sign of life, seconds between such
questions, and how many may stay without one."""

_DISCONNECTED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)

_opened_sockets: ContextVar[list[socket.socket]] = ContextVar("opened_sockets")
"""The sockets that were opened for the request of this task. (A ``TraceConfig`` would tell as well
whether a connection was used before; it costs a tenth of the whole request.)"""


class AiohttpTransport:
    """Sends through one aiohttp session, opened with the first request on the loop of that.

    Proxies are those of the environment (``HTTPS_PROXY``, ``NO_PROXY``, …), CA certificates those
    that ``tls_context`` finds. Redirects are not followed: they would lose the body or the key.
    """

    def __init__(self, url: str, key: ApiKey, *, timeout: float, connect_timeout: float) -> None:
        """Prepare for a server; nothing is opened yet.

        Args:
            url: The base URL.
            key: What is sent as the bearer.
            timeout: Seconds without a byte from the server after which it is given up. An answer
                that drips in byte by byte is given up after twice as long.
            connect_timeout: Seconds for the name to be resolved and the connection to be opened.
        """
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {key.value}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "kfp-sdg",
        }
        self._timeout = aiohttp.ClientTimeout(
            total=_DRIP * timeout, connect=connect_timeout, sock_read=timeout
        )
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}

    async def get(self, path: str) -> Reply:
        """Send a GET."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: object) -> Reply:
        """Send a POST with a JSON body."""
        return await self._ask("POST", path, encoded(body))

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, path: str, body: bytes | None) -> Reply:
        """Send a request; once more where the connection had been closed while it was idle.

        Servers close idle connections at any time. A request that meets this end has reached
        nobody, and a new connection is opened for it.
        """
        opened: list[socket.socket] = []
        _opened_sockets.set(opened)
        began = time.monotonic()
        try:
            try:
                response = await self._send(method, path, body)
            except _DISCONNECTED as error:
                over_new_connection = opened or isinstance(error, aiohttp.ClientConnectorError)
                if over_new_connection or time.monotonic() - began > _CLOSED_BEFORE:
                    raise
                response = await self._send(method, path, body)
            try:
                content = await _content(response)
            except BaseException:
                response.close()
                raise
        except (aiohttp.ClientError, OSError, ValueError) as error:  # OSError: TimeoutError too
            raise NoReply(*_diagnosis(error)) from error
        return Reply(response.status, content, response.headers)

    def _send(
        self, method: str, path: str, body: bytes | None
    ) -> Awaitable[aiohttp.ClientResponse]:
        session = self._session = self._session or self._opened()
        return session.request(
            method,
            self._to(path),
            data=BytesIO(body) if body is not None and len(body) > _LARGE else body,
            allow_redirects=False,
        )

    def _to(self, path: str) -> URL:
        """Return the URL of a path, or a whole URL; parsing it takes longer than sending to it."""
        if path not in self._urls:
            self._urls[path] = URL(path if "://" in path else f"{self._url}{path}")
        return self._urls[path]

    def _opened(self) -> aiohttp.ClientSession:
        """Open the session, which belongs to the running loop."""
        secure = urlsplit(self._url).scheme == "https"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the limiter decides who may ask
                keepalive_timeout=_IDLE_SECONDS,
                socket_factory=_watched_socket,
                ssl=tls_context() if secure else True,
            ),
            headers=self._headers,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy_for(self._url),
        )


def encoded(body: object) -> bytes:
    """Return a body's JSON as UTF-8; half characters, which UTF-8 cannot hold, become escapes."""
    try:
        return _JSON.encode(body).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """Read a body, unpacked, as long as it fits into memory."""
    chunks, size = [], 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST_BODY:
            raise NoReply(Trouble.TOO_LARGE, f"more than {_LARGEST_BODY >> 20} MiB")
    return b"".join(chunks)


def _watched_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that notices within a minute that the other machine is gone.

    A pod that is deleted with its node closes no connection; whoever waits for its answer would
    wait until the time-out.
    """
    opened = socket.socket(*address[:3])
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # macOS names the first one otherwise
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    _opened_sockets.get([]).append(opened)
    return opened


def _proxy_for(url: str) -> str | None:
    """Return the environment's proxy for a URL; looked up once, not for each request."""
    # A proxy cannot reach this machine's loopback, so its variables do not count there.
    if is_plain_loopback(url):
        return None
    parts = urlsplit(url)
    proxies: Mapping[str, str] = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _diagnosis(error: Exception) -> tuple[Trouble, str]:
    """Tell what an exception of aiohttp means."""
    detail = str(error) or type(error).__name__
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return Trouble.UNTRUSTED, str(error.certificate_error)
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Trouble.NO_TLS, detail
        case aiohttp.ClientHttpProxyError(status=407):
            return Trouble.UNUSABLE, "the proxy wants a user name and a password"
        case aiohttp.ClientConnectorError():
            number = error.errno or 0
            reason = os.strerror(number) if number > 0 else error.strerror
            return Trouble.UNREACHABLE, f"{error.host}:{error.port}: {reason or detail}"
        case aiohttp.ClientHttpProxyError():
            return Trouble.UNREACHABLE, f"the proxy says {error.status} {error.message}"
        case aiohttp.ConnectionTimeoutError():
            return Trouble.UNREACHABLE, detail
        case TimeoutError():
            return Trouble.TIMEOUT, detail
        case aiohttp.ClientResponseError():
            return Trouble.BROKEN, f"what came is no HTTP ({error.message.splitlines()[0]})"
        case aiohttp.ClientError() | OSError():
            return Trouble.BROKEN, detail
    return Trouble.UNUSABLE, detail
