"""What a task prints: plain lines, since its output is a pod's log."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import SdgError, Terminated
from kfp_sdg.runtime.collector import collecting_rarely
from kfp_sdg.runtime.signals import terminated_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ERROR = "error: "
"""How each line of the last words of a task that failed begins."""

WARNING = "warning: "
"""How a line of warning begins."""

_TALKATIVE = ("httpx", "httpx2", "openai")
"""Loggers that tell of every request."""


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def plain_console() -> Iterator[dict[str, str]]:
    """Print warnings as ``warning: …``, and an error of ours as the last words of the log.

    KFP's executor prints whatever any library logs; here that would be each warning a second time,
    and a line per request to the teacher.

    A SIGTERM (a pod that is evicted) ends the task in order.

    Yields:
        What is to be shown in the place of a text, for a task to fill: a folder that only this pod
        has means nothing to a reader.

    Raises:
        SystemExit: With status 1, in the place of any ``SdgError``, after one paragraph about it;
            with status 143 after a SIGTERM. Other errors are defects and keep their traceback.
    """
    shown: dict[str, str] = {}
    logger, handler = logging.getLogger("kfp_sdg"), _Warnings(shown)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    talkative = {client: client.level for client in map(logging.getLogger, _TALKATIVE)}
    for client in talkative:
        client.setLevel(logging.WARNING)
    try:
        with terminated_in_order(), collecting_rarely():
            yield shown
    except Terminated as ending:
        _last_words(ending, shown)
        raise
    except SdgError as error:
        _last_words(error, shown)
        raise SystemExit(1) from None
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
        for client, level in talkative.items():
            client.setLevel(level)


def _last_words(error: BaseException, shown: Mapping[str, str]) -> None:
    """Print why the task ends, and what was noted about it."""
    sys.stdout.flush()
    # Each line says that it is of the error: when a process ends, libraries may add to its log.
    text = _as_shown("\n".join([str(error), *getattr(error, "__notes__", ())]), shown)
    lines = [line for line in text.splitlines() if line.strip()]
    sys.stderr.write("".join(f"{ERROR}{line}\n" for line in lines))
    sys.stderr.flush()


def _as_shown(text: str, shown: Mapping[str, str]) -> str:
    for hidden, instead in shown.items():
        text = text.replace(hidden, instead)
    return text


class _Warnings(logging.Handler):
    """Prints warnings, one line each."""

    def __init__(self, shown: Mapping[str, str]) -> None:
        super().__init__(logging.WARNING)
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        say(WARNING + " ".join(_as_shown(record.getMessage(), self._shown).split()))
