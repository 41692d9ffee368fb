"""What lies between a teacher and its server: one request out, one reply or trouble back.

The seam is narrow so that the client package can be exchanged without touching retries, errors
or the reading of answers.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP answer, whatever its status.

    Attributes:
        status: The HTTP status.
        body: The body's bytes.
        headers: The headers; whoever looks one up spells its name in lower case.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Trouble(enum.Enum):
    """Why no complete answer came."""

    UNREACHABLE = "the server cannot be reached"
    UNTRUSTED = "the server's TLS certificate is not trusted"
    NO_TLS = "no TLS connection can be made"
    UNUSABLE = "the URL cannot be used"
    TIMEOUT = "the server did not answer in time"
    BROKEN = "the connection broke before the answer was complete"
    TOO_LARGE = "the answer is too large"
    CLIENT = "the client itself failed"


class NoReply(Exception):  # noqa: N818 - an event between two modules, not an error of the API
    """No complete answer came."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        """Keep the kind of trouble and the system's own words for it."""
        super().__init__(f"{trouble.value}: {detail}")
        self.trouble = trouble
        self.detail = detail


class Transport(Protocol):
    """Sends requests to one server. Paths are relative to its base URL: ``/models``.

    A whole URL of the same server is taken as it is.

    Every method raises NoReply when no complete answer came.
    """

    async def get(self, path: str) -> Reply:
        """Send a GET."""

    async def post(self, path: str, body: object) -> Reply:
        """Send a POST with a JSON body."""

    async def close(self) -> None:
        """Give the connections back."""


def is_plain_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine itself, without TLS."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and (host == "localhost" or _is_loopback_address(host))


def _is_loopback_address(host: str) -> bool:
    """Tell whether a host is an address of this machine; 127.0.0.1.example.com is a name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
