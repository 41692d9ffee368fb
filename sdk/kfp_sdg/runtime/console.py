"""What a task prints: plain lines, since its output is a pod's log."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kfp_sdg.errors import SdgError

if TYPE_CHECKING:
    from collections.abc import Iterator


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def failing_clearly() -> Iterator[None]:
    """End the process with one paragraph about an error of ours, the last words of the log.

    Raises:
        SystemExit: With status 1, in the place of any ``SdgError``. Other errors are defects and
            keep their traceback.
    """
    try:
        yield
    except SdgError as error:
        sys.stdout.flush()
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
        raise SystemExit(1) from None
