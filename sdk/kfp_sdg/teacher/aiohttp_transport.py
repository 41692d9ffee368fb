"""The transport that teachers use by default, made of aiohttp.

Chosen by measurement: 1,000 requests cost 0.15 s of CPU, against 1.3 s and more through the
``openai`` package's asynchronous client. ``connect`` imports this module when a teacher is wanted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import ssl
import time
from contextvars import ContextVar
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from kfp_sdg.teacher.certificates import tls_context
from kfp_sdg.teacher.credentials import objection
from kfp_sdg.teacher.proxies import REFUSED_BY_PROXY, proxy_for, proxy_is_away
from kfp_sdg.teacher.transport import NoReply, Reply, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kfp_sdg.teacher.credentials import Key

logger = logging.getLogger(__name__)

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

_KEY_PATIENCE = 120.0
"""Seconds to wait for a key's successor. The kubelet brings the change of a Secret into a pod
within about a minute (its sync period and its cache's delay)."""

_KEY_POLL = 0.5

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

    def __init__(self, url: str, key: Key, *, timeout: float, connect_timeout: float) -> None:
        """Prepare for a server; nothing is opened yet.

        Args:
            url: The base URL.
            key: What is sent as the bearer, as it is at that time.
            timeout: Seconds without a byte from the server after which it is given up. An answer
                that drips in byte by byte is given up after twice as long.
            connect_timeout: Seconds for the name to be resolved and the connection to be opened.
        """
        self._url = url
        self._key = key
        self._sent_key = key.value
        self._accepted_key = ""
        self._told_of_key = ""
        self._headers = {
            "Authorization": f"Bearer {self._sent_key}",
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
        """Send a request; once more where the server refused a key that has been replaced since.

        A key that the server has taken before is about to be replaced where it is refused, and the
        file may come later than the refusal.
        """
        key = self._current_key()
        reply = await self._ask_with_this_key(method, path, body)
        if reply.status == 401 and await self._is_renewed(key):
            key = self._current_key()
            reply = await self._ask_with_this_key(method, path, body)
        if reply.status == 200 and body is not None:  # some servers list models to anybody
            self._accepted_key = key
        return reply

    def _current_key(self) -> str:
        """Return the key as it is now, and let requests carry it.

        Raises:
            NoReply: It has become one that may not be sent to this server.
        """
        value = self._key.value
        if value != self._sent_key:
            if (message := objection(self._key, self._url)) is not None:
                raise NoReply(Trouble.UNUSABLE, message)
            self._sent_key = value
            self._headers["Authorization"] = f"Bearer {value}"
            if self._session is not None:
                self._session.headers["Authorization"] = self._headers["Authorization"]
        return value

    async def _is_renewed(self, refused: str) -> bool:
        """Tell whether the key is another one than the one refused, and wait for it a while."""
        if not self._key.changes:
            return False
        until = time.monotonic() + _KEY_PATIENCE
        while not self._key.renewed(refused):
            worked = self._key.given and refused == self._accepted_key
            if not worked or time.monotonic() >= until:
                return False
            if self._told_of_key != refused:
                self._told_of_key = refused
                logger.warning(
                    "teacher at %s refuses the key that it took before; waiting for another one",
                    self._url,
                )
            await asyncio.sleep(_KEY_POLL)
        return True

    async def _ask_with_this_key(self, method: str, path: str, body: bytes | None) -> Reply:
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
            proxy=proxy_for(self._url),
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


def _diagnosis(error: Exception) -> tuple[Trouble, str]:
    """Tell what an exception of aiohttp means."""
    detail = str(error) or type(error).__name__
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return Trouble.UNTRUSTED, str(error.certificate_error)
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Trouble.NO_TLS, detail
        case aiohttp.ClientHttpProxyError(status=407):
            return Trouble.UNUSABLE, REFUSED_BY_PROXY
        case aiohttp.ClientProxyConnectionError():
            return Trouble.UNREACHABLE, proxy_is_away(error.host, error.port, _reason(error))
        case aiohttp.ClientConnectorError():
            return Trouble.UNREACHABLE, f"{error.host}:{error.port}: {_reason(error)}"
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


def _reason(error: aiohttp.ClientConnectorError) -> str:
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror
    return reason or str(error) or type(error).__name__
