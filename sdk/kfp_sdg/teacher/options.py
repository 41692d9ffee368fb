"""Where the teachers are and how patiently they are asked. Never a credential."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

_API_VERSION = re.compile(r"v\d")
_PASTED_ENDPOINT = re.compile(r"/(chat/completions|completions|models)$")


@dataclass(frozen=True, slots=True)
class TeacherOptions:
    """How to reach the teachers of a run.

    Attributes:
        url: The server of every model without an endpoint of its own, with or without ``/v1``.
        endpoints: Further servers: model id → URL.
        max_concurrency: The most answers in the making at once at one server; None leaves it to
            the limiter, which finds what a server can do.
        timeout: Seconds without a byte from the server after which a request is asked again; a
            server sends nothing until an answer is complete, so this bounds a whole generation.
            An answer that drips in byte by byte is given up after twice as long.
        connect_timeout: Seconds that opening a connection may take.
        patience: Seconds to wait for a server that is away after it has answered; a single
            request is also given up that was told so long to come back later.
        patience_at_start: Seconds to wait for a server that has not answered yet.
        max_retries: How often one request is asked again after a passing failure; after a
            time-out at most twice, so that a server that hangs costs a request at most three times
            ``timeout``.
        first_delay: Seconds before the first repetition; doubled for each further one.
        longest_delay: Seconds that a wait may grow to, unless the server asks for more.

    Raises:
        SpecError: A value is out of its range or a URL is no HTTP URL.
    """

    url: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    max_concurrency: int | None = None
    timeout: float = 600.0
    connect_timeout: float = 10.0
    patience: float = 600.0
    patience_at_start: float = 15.0
    max_retries: int = 8
    first_delay: float = 0.5
    longest_delay: float = 30.0

    def __post_init__(self) -> None:
        """Check every value and bring the URLs into their full form."""
        object.__setattr__(self, "url", base_url(self.url, option="teacher URL"))
        endpoints = {
            model: base_url(url, option=f"teacher endpoint of {model!r}")
            for model, url in self.endpoints.items()
        }
        object.__setattr__(self, "endpoints", endpoints)
        if self.max_concurrency is not None and self.max_concurrency < 1:
            raise _problem("max_concurrency", self.max_concurrency, "a whole number from 1")
        if self.max_retries < 0:
            raise _problem("max_retries", self.max_retries, "a whole number from 0")
        for name in ("timeout", "connect_timeout"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise _problem(name, getattr(self, name), "seconds above 0")
        for name in ("patience", "patience_at_start", "first_delay", "longest_delay"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise _problem(name, getattr(self, name), "seconds from 0")


def base_url(url: str, *, option: str = "teacher URL") -> str:
    """Return the URL that ``/completions`` and ``/models`` are appended to.

    ``/v1`` is added where no part of the path names an API version, so that
    ``http://host:8000`` and ``http://host:8000/v1/`` mean the same.

    Args:
        url: The URL as the user wrote it.
        option: What the URL is for, named in errors.

    Raises:
        SpecError: The URL has no http scheme, no host, or carries a user name, password or query.
    """
    text = url.strip()
    if "@" in text.split("://", 1)[-1].split("/", 1)[0]:
        # The URL ends up in logs and artifacts, so it is not shown here either.
        raise _url_problem(
            option,
            "the URL holds a user name or password",
            "give the key through KFP_SDG_API_KEY or KFP_SDG_API_KEY_FILE",
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _url_problem(option, f"{text!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        host = text.split("://", 1)[-1]
        raise _url_problem(
            option, f"{text!r} has no http:// or https://", f"did you mean 'http://{host}'?"
        )
    if not parts.hostname or port == 0:
        raise _url_problem(option, f"{text!r} names no host and port to connect to")
    if parts.query or parts.fragment:
        # Some servers take a key there, so neither is shown.
        bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        raise _url_problem(option, f"{bare!r} is followed by a query or fragment; neither is sent")
    path = _PASTED_ENDPOINT.sub("", parts.path.rstrip("/"))
    if not any(_API_VERSION.match(segment) for segment in path.split("/")):
        path += "/v1"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _url_problem(option: str, message: str, suggestion: str | None = None) -> SpecError:
    return SpecError(
        Problem(
            message,
            Position(option),
            expected="an address such as http://localhost:8000/v1",
            suggestion=suggestion,
            code="teacher-url",
        )
    )


def _problem(option: str, value: float, expected: str) -> SpecError:
    return SpecError(
        Problem(f"{value!r} is out of range", Position(option), expected=expected, code="option")
    )
