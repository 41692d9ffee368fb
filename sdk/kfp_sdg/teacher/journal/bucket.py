"""A journal in an object store, or at any other URL that fsspec knows.

Such stores cannot append. Segments are written to a local folder and sent from there, every few
seconds, whole, under a new name each time; then the object of the time before is removed. So at
every moment the store holds a whole object with everything that was sent before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.places import file_system, told
from kfp_sdg.teacher.journal.bucket_lock import BucketLock
from kfp_sdg.teacher.journal.folder import LOCK_NAME, refuse_other_things
from kfp_sdg.teacher.journal.segment import SegmentName

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.teacher.journal.segment import SegmentWriter

logger = logging.getLogger(__name__)

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""Pauses between attempts to send; after the last one the run is told."""


class Bucket:
    """Segments under a URL, written by one process at a time.

    What was written is in the store a few seconds later, or when the journal is closed. A process
    that is killed takes with it what it wrote since, and its lock is waited for before others may
    go on (see ``bucket_lock``); one that cannot send says so at the next answer, and leaves what
    was not sent in its local folder.

    Attributes:
        name: What messages call the place.
        folder: The local folder.
        flush_seconds: How long an answer may wait to be sent.
        segment_bytes: At this size a new segment is begun, since a growing one is sent again.
    """

    flush_seconds = 2.0
    segment_bytes = 8 << 20

    def __init__(self, url: str) -> None:
        """Lock the place.

        Raises:
            StorageError: It is another process's now, holds other things, or cannot be used.
        """
        self.name = url
        self._files, self._path = file_system(url)
        self._sent: dict[str, SegmentName] = {}
        self._unsent = False
        refuse_other_things(url, self._names())
        self._lock = BucketLock(self._files, f"{self._path}/{LOCK_NAME}", url)
        self._lock.acquire()
        try:
            self.folder = tempfile.mkdtemp(prefix="kfp-sdg-journal-")
        except OSError as error:
            self._lock.release()
            raise StorageError(
                f"{url}: no folder for temporary files: {error.strerror}; set TMPDIR to one"
            ) from error

    def segments(self) -> list[str]:
        """Fetch all segments; return the paths of the copies, oldest first.

        Raises:
            StorageError: They cannot be fetched.
        """
        names = [name for name in map(SegmentName.parse, self._names()) if name]
        remote = [self._place_of(name) for name in names]
        local = [os.path.join(self.folder, str(name)) for name in names]
        if names:
            self._try("cannot be read", lambda: self._files.get(remote, local))
        # A process that died between sending a segment and removing its object of the time before
        # left both. A segment only grows, so the longer one holds all that the other does.
        longest: dict[tuple[int, str], SegmentName] = {}
        sizes = {name: os.path.getsize(path) for name, path in zip(names, local, strict=True)}
        for name in sorted(names, key=lambda name: (sizes[name], name.upload or 0)):
            longest[name.number, name.writer] = name
        return [os.path.join(self.folder, str(longest[key])) for key in sorted(longest)]

    def cut(self, path: str, size: int) -> None:
        """Cut nothing: the store has another process's object, which stays as it is."""

    def path_of(self, name: SegmentName) -> str:
        """Return where a new segment is written."""
        return os.path.join(self.folder, str(name))

    def flush(self, segment: SegmentWriter) -> None:
        """Send a segment as it is now.

        Raises:
            StorageError: The store has refused it several times.
        """
        last = self._sent.get(segment.path)
        name = last or SegmentName.parse(os.path.basename(segment.path))
        assert name is not None  # noqa: S101 - we named it
        name = replace(name, upload=0 if last is None else (last.upload or 0) + 1)
        with open(segment.path, "rb") as file:
            content = file.read(segment.size)
        self._unsent = True
        failed = (
            f"answers cannot be sent to the journal; they are in {self.folder}, and "
            "are used again if that folder's files are copied to the journal"
        )
        self._try(
            failed, lambda: self._files.pipe_file(self._place_of(name), content), RETRY_SECONDS
        )
        self._unsent = False
        self._sent[segment.path] = name
        if last is not None:
            with contextlib.suppress(Exception):  # it holds nothing that the new one does not
                self._files.rm_file(self._place_of(last))

    def check(self) -> None:
        """Make sure that the place is still ours.

        Raises:
            StorageError: Another process has taken it.
        """
        self._lock.check()

    def close(self) -> None:
        """Let go of the place; the local folder goes too, unless something in it was not sent."""
        if not self._unsent:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def _names(self) -> list[str]:
        def listed() -> list[str]:
            self._files.invalidate_cache()
            try:
                return list(self._files.ls(self._path, detail=False))
            except FileNotFoundError:
                if "/" not in self._path:  # no bucket is made by a misspelt name
                    raise
            # Object stores have no folders; that of a bucket which is missing fails.
            with contextlib.suppress(FileExistsError):
                self._files.mkdir(self._path, create_parents=False)
            return []

        names = self._try("the journal cannot be used there", listed)
        return [n for n in (name.rstrip("/").rsplit("/", 1)[-1] for name in names) if n]

    def _place_of(self, name: SegmentName) -> str:
        return f"{self._path}/{name}"

    def _try(self, failed: str, action: Callable[[], Any], pauses: tuple[float, ...] = ()) -> Any:
        """Do something with the store, again after each pause.

        Raises:
            StorageError: The last attempt failed too.
        """
        for pause in (*pauses, None):
            try:
                return action()
            except Exception as error:
                if pause is None:
                    why = told(self.name, error)
                    raise StorageError(f"{self.name}: {failed}: {why}") from error
                time.sleep(pause)
        return None
