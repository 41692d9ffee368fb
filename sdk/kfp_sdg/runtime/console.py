"""What a task prints: plain lines, since its output is a pod's log."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import SdgError

if TYPE_CHECKING:
    from collections.abc import Iterator

ERROR = "error: "
"""How the last words of a task that failed begin."""

WARNING = "warning: "
"""How a line of warning begins."""


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def plain_console() -> Iterator[None]:
    """Print warnings as ``warning: …``, and an error of ours as the last words of the log.

    Raises:
        SystemExit: With status 1, in the place of any ``SdgError``, after one paragraph about it.
            Other errors are defects and keep their traceback.
    """
    logger, handler = logging.getLogger("kfp_sdg"), _Warnings(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    except SdgError as error:
        sys.stdout.flush()
        sys.stderr.write(f"{ERROR}{error}\n")
        sys.stderr.flush()
        raise SystemExit(1) from None
    finally:
        logger.removeHandler(handler)


class _Warnings(logging.Handler):
    """Prints warnings, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        say(WARNING + " ".join(record.getMessage().split()))
