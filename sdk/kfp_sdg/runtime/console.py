"""What a task prints: plain lines, since its output is a pod's log."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import SdgError, Terminated
from kfp_sdg.runtime.signals import terminated_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

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
def plain_console() -> Iterator[None]:
    """Print warnings as ``warning: …``, and an error of ours as the last words of the log.

    KFP's executor prints whatever any library logs; here that would be each warning a second time,
    and a line per request to the teacher.

    A SIGTERM (a pod that is evicted) ends the task in order.

    Raises:
        SystemExit: With status 1, in the place of any ``SdgError``, after one paragraph about it;
            with status 143 after a SIGTERM. Other errors are defects and keep their traceback.
    """
    logger, handler = logging.getLogger("kfp_sdg"), _Warnings(logging.WARNING)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    talkative = {client: client.level for client in map(logging.getLogger, _TALKATIVE)}
    for client in talkative:
        client.setLevel(logging.WARNING)
    try:
        with terminated_in_order():
            yield
    except Terminated as ending:
        _last_words(ending)
        raise
    except SdgError as error:
        _last_words(error)
        raise SystemExit(1) from None
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
        for client, level in talkative.items():
            client.setLevel(level)


def _last_words(error: BaseException) -> None:
    """Print why the task ends, and what was noted about it."""
    sys.stdout.flush()
    # Each line says that it is of the error: when a process ends, libraries may add to its log.
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    lines = [line for line in text.splitlines() if line.strip()]
    sys.stderr.write("".join(f"{ERROR}{line}\n" for line in lines))
    sys.stderr.flush()


class _Warnings(logging.Handler):
    """Prints warnings, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        say(WARNING + " ".join(record.getMessage().split()))
