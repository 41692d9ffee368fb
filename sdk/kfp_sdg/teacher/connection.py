"""From options to teachers that can be asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kfp_sdg.teacher.client import OpenAITeacher
from kfp_sdg.teacher.credentials import find_api_key
from kfp_sdg.teacher.limits import FixedLimiter
from kfp_sdg.teacher.outage import Outage
from kfp_sdg.teacher.pool import TeacherPool
from kfp_sdg.teacher.retry import RetryPolicy
from kfp_sdg.teacher.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.teacher.options import TeacherOptions


def connect(options: TeacherOptions, *, environ: Mapping[str, str] | None = None) -> TeacherPool:
    """Return the teachers of a run; nothing is sent to a server yet.

    Args:
        options: Where they are.
        environ: Where the API key is looked for (see ``find_api_key``); the process's own
            environment if None.

    Raises:
        SpecError: The API key cannot be sent.
    """
    # Imported here: time and memory that runs without a teacher do not pay.
    from kfp_sdg.teacher.aiohttp_transport import AiohttpTransport

    key = find_api_key(os.environ if environ is None else environ)
    limiter = FixedLimiter(options.max_concurrency)
    retry = RetryPolicy(options.max_retries, options.first_delay, options.longest_delay)

    def open_teacher(url: str) -> OpenAITeacher:
        transport = AiohttpTransport(
            url, key, timeout=options.timeout, connect_timeout=options.connect_timeout
        )
        return OpenAITeacher(Sender(transport, url, key, limiter, retry, Outage(url)))

    # One teacher per server, since what one model's requests teach about it holds for all.
    teachers = {url: open_teacher(url) for url in {options.url, *options.endpoints.values()}}
    endpoints = {model: teachers[url] for model, url in options.endpoints.items()}
    return TeacherPool(teachers[options.url], endpoints)
