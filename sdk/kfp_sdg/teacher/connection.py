"""From options to teachers that can be asked."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kfp_sdg.teacher.adaptive import AdaptiveLimiter
from kfp_sdg.teacher.client import OpenAITeacher
from kfp_sdg.teacher.credentials import ApiKey, find_api_key, key_for, require_safe
from kfp_sdg.teacher.options import TeacherOptions
from kfp_sdg.teacher.outage import Patience
from kfp_sdg.teacher.pool import TeacherPool
from kfp_sdg.teacher.retry import RetryPolicy
from kfp_sdg.teacher.sender import Sender
from kfp_sdg.teacher.token_hosts import named_hosts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openai

    from kfp_sdg.teacher.credentials import Key
    from kfp_sdg.teacher.journal import Journal
    from kfp_sdg.teacher.outage import OutageWatcher
    from kfp_sdg.teacher.transport import Transport

_LONGEST_BETWEEN_PROBES = 2.0
"""Seconds, so that a server that was restarted is used at once."""

_MOST = 1024
"""Answers in the making at one server, where nothing else is set."""


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
        environ: Where the API key is looked for (see ``find_api_key``), and the hosts that may be
            shown a pod's own token (see ``token_hosts``); the process's own environment if None.
        journal: Where finished answers are kept and looked for; None keeps nothing. It stays
            open when the pool is closed.
        outage_watcher: Is told about once a second that a server is waited for.

    Raises:
        SpecError: The API key cannot be sent, or not to this URL; or what names hosts is wrong.
    """
    # Imported here: time and memory that runs without a teacher do not pay.
    from kfp_sdg.teacher.aiohttp_transport import AiohttpTransport

    environ = os.environ if environ is None else environ
    found = find_api_key(environ)
    hosts = named_hosts(environ)

    def open_sender(url: str) -> Sender:
        key = key_for(found, url, hosts=hosts)
        require_safe(key, url)
        transport = AiohttpTransport(
            url, key, timeout=options.timeout, connect_timeout=options.connect_timeout
        )
        return _sender(transport, url, key, options, outage_watcher)

    # One teacher per server, since what one model's requests teach about it holds for all.
    senders = {url: open_sender(url) for url in {options.url, *options.endpoints.values()}}
    return _pool(senders, options, journal)


def connect_client(
    client: openai.OpenAI | openai.AsyncOpenAI,
    options: TeacherOptions | None = None,
    *,
    journal: Journal | None = None,
    outage_watcher: OutageWatcher | None = None,
) -> TeacherPool:
    """Return a teacher that is asked through a client of the ``openai`` package.

    For servers that need what only such a client can do, for instance a way to log in. It costs
    ten times the CPU of ``connect``. The client's own retries are switched off.

    Args:
        client: Where the teacher is, with which key, certificates and time-outs; synchronous ones
            are taken too, see ``openai_transport.transport_for``.
        options: How patiently and how often it is asked; its URL, endpoints and time-outs mean
            nothing here.
        journal: As for ``connect``.
        outage_watcher: As for ``connect``.
    """
    from kfp_sdg.teacher.openai_transport import transport_for

    url = str(client.base_url).rstrip("/")
    options = replace(options or TeacherOptions(url), url=url, endpoints={})
    return connect_through(
        transport_for(client),
        options,
        key=ApiKey(client.api_key, "the client"),
        journal=journal,
        outage_watcher=outage_watcher,
    )


def connect_through(
    transport: Transport,
    options: TeacherOptions,
    *,
    key: ApiKey | None = None,
    journal: Journal | None = None,
    outage_watcher: OutageWatcher | None = None,
) -> TeacherPool:
    """Return a teacher that is asked through a transport.

    Args:
        transport: Sends the requests.
        options: How patiently and how often it is asked; its URL is what messages name, and it has
            no endpoints.
        key: What must not be shown; None where the transport has none.
        journal: As for ``connect``.
        outage_watcher: As for ``connect``.
    """
    key = key or ApiKey("EMPTY", "nowhere")
    sender = _sender(transport, options.url, key, options, outage_watcher)
    return _pool({options.url: sender}, options, journal)


def _sender(
    transport: Transport,
    url: str,
    key: Key,
    options: TeacherOptions,
    watcher: OutageWatcher | None,
) -> Sender:
    return Sender(
        transport,
        url,
        key,
        # One for each server: what one can do says nothing about another.
        AdaptiveLimiter(options.max_concurrency or _MOST),
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
            longest_delay=min(_LONGEST_BETWEEN_PROBES, options.longest_delay),
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
