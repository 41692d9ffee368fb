"""The transport for users who bring a client of the ``openai`` package along.

Importing this module imports ``openai``, which costs half a second and some 60 MB.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import openai

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.teacher.transport import NoReply, Reply, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

# The client package is built on httpx up to version 2 and on httpx2 from version 3; both name their
# exceptions alike, so they are told apart by name.
_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ProxyError"}
_UNUSABLE = {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "TooManyRedirects"}


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


def asynchronous(client: openai.OpenAI | openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    """Return an asynchronous client with the settings of a client.

    An asynchronous one is returned as it is. Of a synchronous one are taken over: URL, key,
    organisation, project, time-outs, default headers and query. Its ``http_client`` is not, since
    that cannot work on a loop.

    Raises:
        SpecError: The client is of a kind whose settings cannot be taken over, as Azure's.
    """
    if isinstance(client, openai.AsyncOpenAI):
        return client
    if type(client) is not openai.OpenAI:
        raise SpecError(
            Problem(
                f"an openai.{type(client).__name__} cannot be asked concurrently",
                Position("client"),
                expected="an asynchronous client, or an openai.OpenAI",
                suggestion=f"openai.Async{type(client).__name__}",
                code="teacher-client",
            )
        )
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
