"""The journal: every finished answer, kept as soon as it is there, so that none is paid twice.

    with open_journal("out/checkpoint") as journal, connect(options, journal=journal) as pool:
        ...

An answer is found again by its request's key (``Keys``): by everything that determines it and by
the request's place among equal ones, never by where the request was sent. Failures are not kept.
"""

from __future__ import annotations

from kfp_sdg.teacher.journal.journal import Journal, open_journal
from kfp_sdg.teacher.journal.keys import Keys

__all__ = ["Journal", "Keys", "open_journal"]
