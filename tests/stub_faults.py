"""The faults that the stub teacher can show, each as an aiohttp response or the lack of one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """One failure of the server.

    Attributes:
        kind: "status" answers with ``status``; "reset" breaks the connection in mid answer; "hang"
            never answers; "raw" answers 200 with ``body`` as it is.
        status: The HTTP status of the kind "status".
        body: What is sent: a JSON value, or text or bytes as they are.
            None: the usual error object.
        headers: Further headers, ``Retry-After`` for one.
    """

    kind: str = "status"
    status: int = 503
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


def error_body(message: str, status: int, kind: str = "stub_error") -> dict[str, Any]:
    """Return an error object in the shape most servers use."""
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


async def show(fault: Fault, request: web.Request) -> web.StreamResponse:
    """Fail in the way the fault says."""
    if fault.kind == "hang":
        await asyncio.sleep(3600)
    if fault.kind == "reset":
        return await _break_off(request)
    status = 200 if fault.kind == "raw" else fault.status
    body = error_body("injected fault", status) if fault.body is None else fault.body
    headers = dict(fault.headers)
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
