"""The transports for users who bring a client of the ``openai`` package along.

Importing this module imports ``openai``, which costs half a second and some 60 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from typing import TYPE_CHECKING

import openai

from kfp_sdg.teacher.transport import NoReply, Reply, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kfp_sdg.teacher.transport import Transport

# The client package is built on httpx up to version 2 and on httpx2 from version 3; both name their
# exceptions alike, so they are told apart by name.
_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ProxyError"}
_UNUSABLE = {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "TooManyRedirects"}

_DEFAULT_HTTP_CLIENT = "SyncHttpxClientWrapper"
"""The class of the HTTP client that a synchronous client makes itself where it is given none."""

_THREADS = 128
"""Requests of a synchronous client that are sent at once."""


def transport_for(client: openai.OpenAI | openai.AsyncOpenAI) -> Transport:
    """Return a transport that sends as a client would.

    An asynchronous client sends itself. A plain synchronous one gets an asynchronous twin with its
    settings. One with an HTTP client of its own (for its certificates, a proxy) or of another kind
    (Azure's) sends itself, from threads: what such a client does cannot be taken over.

    Args:
        client: The client.
    """
    if isinstance(client, openai.AsyncOpenAI):
        return OpenAITransport(client)
    kinds = {kind.__name__ for kind in type(client._client).__mro__}
    if type(client) is openai.OpenAI and _DEFAULT_HTTP_CLIENT in kinds:
        return OpenAITransport(_asynchronous(client))
    return SynchronousTransport(client)


class OpenAITransport:
    """Sends through an ``openai.AsyncOpenAI``, whose own settings hold."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        """Use a client; its own retries are switched off, since ours know the limiter."""
        self._client = client.with_options(max_retries=0)

    async def get(self, path: str) -> Reply:
        """Send a GET."""
        return await _reply(self._client.get(path, cast_to=bytes))

    async def post(self, path: str, body: object) -> Reply:
        """Send a POST with a JSON body."""
        return await _reply(self._client.post(path, body=body, cast_to=bytes))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()


class SynchronousTransport:
    """Sends through an ``openai.OpenAI`` itself, each request from a thread of its own.

    The client stays its owner's and is not closed. The threads are daemons: an interrupt need not
    wait for answers that nobody wants any more.
    """

    def __init__(self, client: openai.OpenAI) -> None:
        """Use a client; its own retries are switched off, since ours know the limiter."""
        self._client = client.with_options(max_retries=0)
        self._free = asyncio.Semaphore(_THREADS)

    async def get(self, path: str) -> Reply:
        """Send a GET."""
        return await self._sent(lambda: self._client.get(path, cast_to=bytes))

    async def post(self, path: str, body: object) -> Reply:
        """Send a POST with a JSON body."""
        return await self._sent(lambda: self._client.post(path, body=body, cast_to=bytes))

    async def close(self) -> None:
        """Do nothing: the connections are the client's."""

    async def _sent(self, send: Callable[[], bytes]) -> Reply:
        async with self._free:
            return await _reply(_in_thread(send))


async def _in_thread(work: Callable[[], bytes]) -> bytes:
    """Return what a function returns, or raise what it raises, while it runs in a new thread."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def tell(body: bytes | None, error: BaseException | None) -> None:
        if result.done():  # cancelled
            return
        if error is not None:
            result.set_exception(error)
        elif body is not None:
            result.set_result(body)

    def run() -> None:
        body, error = None, None
        try:
            body = work()
        except BaseException as raised:  # it belongs to whoever waits
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, body, error)

    threading.Thread(target=run, name="kfp-sdg-request", daemon=True).start()
    return await result


def _asynchronous(client: openai.OpenAI) -> openai.AsyncOpenAI:
    """Return an asynchronous client with the settings of a plain synchronous one.

    Taken over are: URL, key, organisation, project, time-outs, default headers and query.
    """
    return openai.AsyncOpenAI(
        base_url=client.base_url,
        api_key=client.api_key,
        organization=client.organization,
        project=client.project,
        timeout=client.timeout,
        default_headers=client._custom_headers,
        default_query=client._custom_query,
    )


async def _reply(sending: Awaitable[bytes]) -> Reply:
    try:
        return Reply(200, await sending)
    except openai.APIStatusError as error:
        response = error.response
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, response.content, headers)
    except openai.APIConnectionError as error:
        raise NoReply(*_diagnosis(error)) from error


def _diagnosis(error: openai.APIConnectionError) -> tuple[Trouble, str]:
    chain = list(_causes(error))
    names = {type(cause).__name__ for cause in chain}
    detail = str(chain[-1]) or type(chain[-1]).__name__
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return Trouble.UNTRUSTED, detail
    if names & _UNREACHABLE and any(isinstance(cause, ssl.SSLError) for cause in chain):
        return Trouble.NO_TLS, detail
    if names & _UNUSABLE:
        return Trouble.UNUSABLE, detail
    if names & _UNREACHABLE:
        return Trouble.UNREACHABLE, detail
    if isinstance(error, openai.APITimeoutError):
        return Trouble.TIMEOUT, detail
    return Trouble.BROKEN, detail


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, the root last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
