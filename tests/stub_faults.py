"""The faults that the stub teacher can show, each as an aiohttp response or the lack of one."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """One failure of the server.

    Attributes:
        kind: "status" answers with ``status``; "reset" breaks the connection in mid answer, "cut"
            before the first byte of it; "hang" never answers; "drip" sends a byte now and then;
            "gzip" answers 200 with ``body`` packed; "raw" answers 200 with ``body`` as it is.
        status: The HTTP status of the kind "status".
        body: What is sent: a JSON value, or text or bytes as they are.
            None: the usual error object.
        headers: Further headers, ``Retry-After`` for one.
    """

    kind: str = "status"
    status: int = 503
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, kind: str, status: int, body: Any, retry_after: str | float | None) -> Fault:
        """Return a fault whose wish for a later try becomes a header."""
        headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
        return cls(kind, status, body, headers)


@dataclass
class Ailment:
    """A server that fails again and again.

    Attributes:
        fault: How it fails; None: it is well.
        share: The share of requests that fail.
        until: When it is well again (``time.monotonic``).
    """

    fault: Fault | None = None
    share: float = 1.0
    until: float = math.inf
    _due: float = 0.0

    def next(self) -> Fault | None:
        """Return what befalls the next request."""
        if self.fault is None or time.monotonic() >= self.until:
            return None
        self._due += self.share
        if self._due < 1:
            return None
        self._due -= 1
        return self.fault


def error_body(message: str, status: int, kind: str = "stub_error") -> dict[str, Any]:
    """Return an error object in the shape most servers use."""
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def too_long(limit: int, words: int) -> str:
    """Return vLLM's words for a prompt that does not fit."""
    return (
        f"This model's maximum context length is {limit} tokens. However, your prompt contains at "
        f"least {words} input tokens, which exceeds this limit even without any output tokens."
    )


async def show(fault: Fault, request: web.Request) -> web.StreamResponse:
    """Fail in the way the fault says."""
    if fault.kind == "hang":
        await asyncio.sleep(3600)
    if fault.kind == "reset":
        return await _break_off(request)
    if fault.kind == "drip":
        return await _drip(request)
    if fault.kind == "cut" and request.transport is not None:
        request.transport.abort()
    status = fault.status if fault.kind == "status" else 200
    body = error_body("injected fault", status) if fault.body is None else fault.body
    headers = dict(fault.headers)
    if fault.kind == "gzip":
        body, headers = gzip.compress(json.dumps(body).encode()), {"Content-Encoding": "gzip"}
    if isinstance(body, bytes):
        return web.Response(
            status=status, body=body, headers=headers, content_type="application/json"
        )
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers)
    return web.json_response(body, status=status, headers=headers)


async def _break_off(request: web.Request) -> web.StreamResponse:
    """Promise 1000 bytes, send a few, cut the line."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    response.content_type = "application/json"
    await response.prepare(request)
    await response.write(b'{"choices": [{"te')
    if request.transport is not None:
        request.transport.abort()
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, for ever."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)
