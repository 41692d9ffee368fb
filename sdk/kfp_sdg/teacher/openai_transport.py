"""The transport made of the ``openai`` package's asynchronous client.

Importing this module imports ``openai``, which costs half a second; ``connect`` does it when a
teacher is really wanted.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import openai

from kfp_sdg.teacher.transport import NoReply, Reply, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from kfp_sdg.teacher.credentials import ApiKey

# The client package is built on httpx up to version 2 and on httpx2 from version 3; both name their
# exceptions alike, so they are told apart by name.
_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ProxyError"}
_UNUSABLE = {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "TooManyRedirects"}


class OpenAITransport:
    """Sends through an ``openai.AsyncOpenAI``, whose rules for proxies and CA files hold."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        """Use a client; its own retries are switched off, since ours know the limiter."""
        self._client = client.with_options(max_retries=0)

    @classmethod
    def open(
        cls, url: str, key: ApiKey, *, timeout: float, connect_timeout: float
    ) -> OpenAITransport:
        """Return a transport to a base URL; times in seconds."""
        # A proxy cannot reach this machine's loopback, so its variables do not count there.
        past_proxies = _is_plain_loopback(url)
        direct = openai.DefaultAsyncHttpxClient(trust_env=False) if past_proxies else None
        return cls(
            openai.AsyncOpenAI(
                base_url=url,
                api_key=key.value,
                http_client=direct,
                # Waiting for a free connection has no limit: the limiter decides who may ask.
                timeout=openai.Timeout(timeout, connect=connect_timeout, pool=None),
            )
        )

    async def get(self, path: str) -> Reply:
        """Send a GET."""
        return await _reply(self._client.get(path, cast_to=bytes))

    async def post(self, path: str, body: object) -> Reply:
        """Send a POST with a JSON body."""
        return await _reply(self._client.post(path, body=body, cast_to=bytes))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()


def _is_plain_loopback(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    # Not with TLS: the variables that name a certificate authority would be lost too.
    return parts.scheme == "http" and (host in ("localhost", "::1") or host.startswith("127."))


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
