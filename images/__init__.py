"""The images: a Containerfile in a folder each, and ``images.lock``, which lists all of them.

Only the list is part of the distribution, so that an installed command finds it.
"""

from __future__ import annotations

from pathlib import Path

LOCK_FILE = Path(__file__).parent / "images.lock"
"""The list of every image that is built here or named in a manifest or compiled pipeline."""

__all__ = ["LOCK_FILE"]
