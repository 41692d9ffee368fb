"""The lock of a journal in an object store: an object that says who holds it, and that it lives.

The holder writes a higher number into it every few seconds. Whoever finds a lock watches it: a
number that changes is a living holder's; one that stays the same for ``STALE_SECONDS`` was left
behind. No two machines' clocks are compared. No lock is common to all stores, so two processes that
come within a moment of each other are told apart by reading the object again, and a holder that
finds another's name in it stops.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.places import told
from kfp_sdg.teacher.journal.folder import held_by_another
from kfp_sdg.teacher.journal.holder import Holder

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
STALE_SECONDS = 30.0
SETTLE_SECONDS = 0.5

_OURS: set[str] = set()
"""The locks that this process holds. Another one with our process number was left behind by a
process that had it before, as in a container that was started again."""


class BucketLock:
    """A lock object in a store."""

    def __init__(self, files: Any, path: str, place: str) -> None:
        """Prepare a lock.

        Args:
            files: The fsspec file system.
            path: The lock object's path in it.
            place: What messages call the journal.
        """
        self._files = files
        self._path = path
        self._place = place
        self._holder = Holder()
        self._lost: Holder | None = None
        self._ending = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="kfp-sdg-lock", daemon=True)

    def acquire(self) -> None:
        """Take the lock; wait while it is not known whether its holder lives.

        Raises:
            StorageError: Another process holds it, or the store refuses.
        """
        try:
            holder = self._read()
            if holder is not None:
                self._outlive(holder)
            self._write()
            time.sleep(SETTLE_SECONDS)
            holder = self._read()
        except StorageError:
            raise
        except Exception as error:
            raise StorageError(
                f"{self._place}: the journal cannot be locked: {told(self._place, error)}"
            ) from error
        if holder is None or holder.owner != self._holder.owner:
            raise held_by_another(self._place, holder)
        _OURS.add(self._holder.owner)
        self._beating.start()

    def check(self) -> None:
        """Make sure that the lock is still ours.

        Raises:
            StorageError: Another process has taken it.
        """
        if self._lost is not None:
            raise held_by_another(self._place, self._lost)

    def release(self) -> None:
        """Give the lock back, if it is ours."""
        self._ending.set()
        self._beating.join()
        _OURS.discard(self._holder.owner)
        if self._lost is None:
            with contextlib.suppress(Exception):  # then it becomes stale by itself
                self._files.rm_file(self._path)

    def _outlive(self, holder: Holder) -> None:
        """Watch a lock until it is sure that it was left behind.

        Raises:
            StorageError: Its holder lives.
        """
        if holder.owner in _OURS:
            raise held_by_another(self._place, holder)
        if holder.is_dead() or holder.is_this_process():
            return
        logger.warning(
            "%s: locked by %s; if it shows no life within %d seconds, the journal is ours",
            self._place,
            holder,
            STALE_SECONDS,
        )
        until = time.monotonic() + STALE_SECONDS
        while time.monotonic() < until:
            time.sleep(SETTLE_SECONDS)
            now = self._read()
            if now is None:
                return
            if now != holder:
                raise held_by_another(self._place, now)

    def _beat(self) -> None:
        while not self._ending.wait(BEAT_SECONDS):
            try:
                holder = self._read()
                if holder is not None and holder.owner != self._holder.owner:
                    self._lost = holder
                    return
                self._holder = self._holder.after_a_beat()
                self._write()
            except Exception as error:  # sending answers fails likewise, and tells the run
                logger.debug("%s: the lock was not renewed: %s", self._place, error)

    def _read(self) -> Holder | None:
        """Return who holds the lock; an unreadable one is held by nobody."""
        try:
            return Holder.parse(self._files.cat_file(self._path))
        except FileNotFoundError:
            return None

    def _write(self) -> None:
        self._files.pipe_file(self._path, self._holder.to_text().encode())
