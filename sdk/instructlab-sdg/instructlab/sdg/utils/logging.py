"""Logging for command lines."""

from __future__ import annotations

import logging


def setup_logger(level: str | int = "DEBUG") -> None:
    """Let log lines be written to stderr; for command lines, never for a library.

    Args:
        level: The least important level that is written.
    """
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s:%(lineno)d: %(message)s"
    )
