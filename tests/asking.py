"""Asking a teacher from a test: connect quickly, ask once, expect a failure."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.errors import TeacherError
from kfp_sdg.teacher import Answer, Request, TeacherOptions, TeacherPool, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = Request("Say hello.", "stub-model", options={"max_tokens": 9}, scope="greet", index=17)
CHAT = Request(({"role": "user", "content": "Say hello."},), "stub-model", options={})


@contextmanager
def connected(
    url: str,
    *,
    environ: dict[str, str] | None = None,
    outage_watcher: Any = None,
    **options: Any,
) -> Iterator[TeacherPool]:
    """Connect with delays of milliseconds instead of seconds."""
    quick = {"max_retries": 3, "first_delay": 0.001, "patience_at_start": 0.1, **options}
    options = TeacherOptions(url, **quick)
    with connect(options, environ=environ or {}, outage_watcher=outage_watcher) as pool:
        yield pool


def complete(pool: TeacherPool, request: Request = HELLO) -> Answer:
    """Ask and wait for the answer."""
    return pool.run(pool.teacher(request.model).complete(request))


def failure(pool: TeacherPool, request: Request = HELLO) -> TeacherError:
    """Ask and return the error."""
    return failure_of(pool, pool.teacher(request.model).complete(request))


def failure_of(pool: TeacherPool, asking: Any) -> TeacherError:
    """Return the error that a coroutine ends with."""
    with pytest.raises(TeacherError) as caught:
        pool.run(asking)
    return caught.value


def variant(**changes: Any) -> Request:
    """Return HELLO with some fields changed."""
    fields = {"prompt": HELLO.prompt, "model": HELLO.model, "options": HELLO.options, **changes}
    return Request(**fields)


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test of a file that imports this without a proxy and authorities of its own."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    for name in (*names, "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
