"""From options to teachers that can be asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kfp_sdg.teacher.client import OpenAITeacher
from kfp_sdg.teacher.credentials import find_api_key
from kfp_sdg.teacher.limits import FixedLimiter
from kfp_sdg.teacher.outage import Patience
from kfp_sdg.teacher.pool import TeacherPool
from kfp_sdg.teacher.retry import RetryPolicy
from kfp_sdg.teacher.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp_sdg.teacher.credentials import ApiKey
    from kfp_sdg.teacher.journal import Journal
    from kfp_sdg.teacher.options import TeacherOptions
    from kfp_sdg.teacher.outage import OutageWatcher
    from kfp_sdg.teacher.transport import Transport

_UNCAPPED = 128


def connect(
    options: TeacherOptions,
    *,
    environ: Mapping[str, str] | None = None,
    journal: Journal | None = None,
    outage_watcher: OutageWatcher | None = None,
) -> TeacherPool:
    """Return the teachers of a run; nothing is sent to a server yet.

    Args:
        options: Where they are.
        environ: Where the API key is looked for (see ``find_api_key``); the process's own
            environment if None.
        journal: Where finished answers are kept and looked for; None keeps nothing. It stays
            open when the pool is closed.
        outage_watcher: Is told about once a second that a server is waited for.

    Raises:
        SpecError: The API key cannot be sent.
    """
    # Imported here: time and memory that runs without a teacher do not pay.
    from kfp_sdg.teacher.aiohttp_transport import AiohttpTransport

    key = find_api_key(os.environ if environ is None else environ)

    def open_sender(url: str) -> Sender:
        transport = AiohttpTransport(
            url, key, timeout=options.timeout, connect_timeout=options.connect_timeout
        )
        return _sender(transport, url, key, options, outage_watcher)

    # One teacher per server, since what one model's requests teach about it holds for all.
    senders = {url: open_sender(url) for url in {options.url, *options.endpoints.values()}}
    return _pool(senders, options, journal)


def _sender(
    transport: Transport,
    url: str,
    key: ApiKey,
    options: TeacherOptions,
    watcher: OutageWatcher | None,
) -> Sender:
    return Sender(
        transport,
        url,
        key,
        # One for each server: what one can do says nothing about another.
        FixedLimiter(options.max_concurrency or _UNCAPPED),
        RetryPolicy(
            options.max_retries,
            options.first_delay,
            options.longest_delay,
            longest_time=options.patience,
        ),
        Patience(
            options.patience,
            options.patience_at_start,
            first_delay=options.first_delay,
            doubt=2 * options.first_delay,
        ),
        watcher,
    )


def _pool(
    senders: Mapping[str, Sender], options: TeacherOptions, journal: Journal | None
) -> TeacherPool:
    teachers = {url: OpenAITeacher(sender, journal) for url, sender in senders.items()}
    return TeacherPool(
        teachers[options.url],
        {model: teachers[url] for model, url in options.endpoints.items()},
        journal=journal,
        senders={teachers[url]: sender for url, sender in senders.items()},
    )
