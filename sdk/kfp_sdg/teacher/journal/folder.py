"""A journal in a local folder."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError
from kfp_sdg.teacher.journal.holder import Holder
from kfp_sdg.teacher.journal.segment import SegmentName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.teacher.journal.segment import SegmentWriter

logger = logging.getLogger(__name__)

LOCK_NAME = "journal.lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


class LocalFolder:
    """Segments in a folder of this machine, written by one process at a time.

    What was written survives the death of the process at once, and that of the machine as soon as
    ``flush`` has seen it. The lock is the kernel's: it is free as soon as its holder is dead.

    Attributes:
        name: What messages call the place.
        folder: Where segments are read and written.
        flush_seconds: How long a record may wait for ``flush``.
        segment_bytes: At this size a new segment is begun.
    """

    flush_seconds = 1.0
    segment_bytes = 64 << 20

    def __init__(self, place: str) -> None:
        """Make the folder and lock it.

        Raises:
            StorageError: It is another process's now, holds other things, or cannot be written.
        """
        self.name = self.folder = place
        if os.path.exists(place) and not os.path.isdir(place):
            raise StorageError(f"{place}: is a file; a journal needs a folder")
        try:
            os.makedirs(place, exist_ok=True)
            refuse_other_things(place, os.listdir(place))
            self._lock = _lock(os.path.join(place, LOCK_NAME), place)
            self._entry = os.open(place, os.O_RDONLY)
        except OSError as error:
            raise StorageError(
                f"{place}: the journal cannot be written there: {error.strerror}; choose another "
                "folder for it"
            ) from error
        self._known: set[str] = set()

    def segments(self) -> list[str]:
        """Return the paths of all segments, oldest first."""
        names = filter(SegmentName.parse, os.listdir(self.folder))
        return [os.path.join(self.folder, name) for name in sorted(names)]

    def cut(self, path: str, size: int) -> None:
        """Cut a torn end off a segment; one without any record is removed.

        Raises:
            OSError: The file cannot be written.
        """
        if size:
            os.truncate(path, size)
        else:
            os.unlink(path)

    def path_of(self, name: SegmentName) -> str:
        """Return where a new segment is written."""
        return os.path.join(self.folder, str(name))

    def flush(self, segment: SegmentWriter) -> None:
        """Wait until the disk has all of a segment.

        Raises:
            StorageError: It has not.
        """
        try:
            segment.sync()
            if segment.path not in self._known:
                os.fsync(self._entry)
                self._known.add(segment.path)
            os.stat(segment.path)
        except FileNotFoundError:
            raise StorageError(
                f"{segment.path}: the journal was removed while it is in use; answers can no "
                "longer be kept there"
            ) from None
        except OSError as error:
            raise StorageError(
                f"{segment.path}: the disk does not take the journal: {error.strerror}; what it "
                "took is used when the run is started again"
            ) from error

    def check(self) -> None:
        """Do nothing: a lock of the kernel's cannot be lost."""

    def close(self) -> None:
        """Let go of the folder."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)
        os.close(self._entry)


def refuse_other_things(place: str, names: Iterable[str]) -> None:
    """Make sure that a folder is a journal's or empty.

    Raises:
        StorageError: It is not.
    """
    others = [
        name
        for name in sorted(names)
        # What systems put into folders by themselves is nobody's.
        if not (SegmentName.parse(name) or name in (LOCK_NAME, "lost+found") or name[0] == ".")
    ]
    if others:
        listed = ", ".join(others[:3]) + (", …" if others[3:] else "")
        raise StorageError(
            f"{place}: holds other things than a journal ({listed}); choose a folder that is new "
            "or empty, or that of an earlier run"
        )


def held_by_another(place: str, holder: Holder | None) -> StorageError:
    """Return the error that a place is in use."""
    return StorageError(
        f"{place}: another process writes this journal now ({holder or 'it left no name'}); wait "
        "for it to end, or choose another folder"
    )


def _lock(path: str, place: str) -> int:
    """Return the lock file, open and locked, with our name in it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = Holder.parse(os.pread(file, 4096, 0))
        os.close(file)
        raise held_by_another(place, holder) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(file)
            raise
        logger.warning(
            "%s: the file system has no locks; make sure that no other process uses this journal",
            place,
        )
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, Holder().to_text().encode(), 0)
    except OSError as error:
        # Opening and locking need no room on the disk; a full one is not worse for lack of a name.
        if error.errno != errno.ENOSPC:
            os.close(file)
            raise
    return file
