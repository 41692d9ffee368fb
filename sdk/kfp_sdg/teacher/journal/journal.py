"""The journal itself: finds kept answers, keeps new ones."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.places import is_url
from kfp_sdg.teacher.journal.record import pack, unpack
from kfp_sdg.teacher.journal.recovery import read_segments
from kfp_sdg.teacher.journal.segment import SegmentName, SegmentReader, SegmentWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from kfp_sdg.teacher.journal.index import Index
    from kfp_sdg.teacher.journal.place import Place
    from kfp_sdg.teacher.model import Answer

logger = logging.getLogger(__name__)


def open_journal(place: str | os.PathLike[str]) -> Journal:
    """Open the journal at a place, or begin one there.

    What is in it is read through once: torn ends are cut off and damaged records are left out, with
    a warning for each; their answers are asked for again.

    Args:
        place: A folder, which is made where it is not there, or any URL that fsspec knows. On a
            local disk an answer survives the process's death as soon as it is kept, and a power cut
            a second later. To an object store answers are sent every few seconds, so that a
            killed process may lose those of the last seconds; one that ends in order loses none.

    Raises:
        StorageError: The place is in use, holds other things, cannot be read or written, or a later
            version of kfp-sdg wrote the journal.
    """
    where = os.fspath(place).removeprefix("file://")
    opened: Place
    if is_url(where):
        from kfp_sdg.teacher.journal.bucket import Bucket

        opened = Bucket(where)
    else:
        from kfp_sdg.teacher.journal.folder import LocalFolder

        opened = LocalFolder(where)
    try:
        return Journal(opened)
    except BaseException:
        opened.close()
        raise


class Journal:
    """Finished answers by the key of their request; a context manager that closes it.

    Meant for one thread, the teacher's; others may call it too.

    Attributes:
        place: Where it is.
        kept: How many answers it held when it was opened.
    """

    def __init__(self, place: Place) -> None:
        """Read what is at the place; most callers want ``open_journal``.

        Raises:
            StorageError: It cannot be read, or a later version wrote it.
        """
        from kfp_sdg.teacher.journal.index import Index

        self.place = place.name
        self._place = place
        self._paths: list[str] = []
        self._reader = SegmentReader()
        self._index: Index = Index(read_segments(place, self._paths))
        self.kept = self._index.size
        names = [SegmentName.parse(os.path.basename(path)) for path in self._paths]
        self._number = max((name.number for name in names if name), default=0)
        self._owner = uuid.uuid4().hex[:8]
        self._writer: SegmentWriter | None = None
        self._unflushed: dict[SegmentWriter, None] = {}
        self._failure: StorageError | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._ending = threading.Event()
        self._flusher = threading.Thread(
            target=self._flush_regularly, name="kfp-sdg-journal", daemon=True
        )
        self._flusher.start()
        if self.kept:
            answers = "1 answer is" if self.kept == 1 else f"{self.kept:,} answers are"
            logger.info("%s: %s kept there", self.place, answers)

    def find(self, key: bytes) -> Mapping[int, Answer]:
        """Return what is kept for a request.

        Args:
            key: The request's key.

        Returns:
            The place of an answer's first choice among the request's ``n`` → the answer. Several
            where the server gave the choices in parts.

        Raises:
            StorageError: The journal's files cannot be read, or it is closed.
        """
        answers: dict[int, Answer] = {}
        with self._lock:
            self._refuse_if_closed()
            for first, segment, offset, length in self._index.find(key):
                path = self._paths[segment]
                try:
                    payload = self._reader.payload(path, offset, length, key)
                except OSError as error:
                    raise StorageError(
                        f"{path}: the journal cannot be read: {error.strerror}"
                    ) from error
                if payload is None:
                    logger.warning(
                        "%s: damaged at byte %d while in use; the answer is asked for again",
                        path,
                        offset,
                    )
                else:
                    answers.setdefault(first, unpack(payload))
        return answers

    def keep(self, key: bytes, first: int, answer: Answer) -> None:
        """Keep an answer; it survives the death of the process from here on.

        To an object store it is on its way then, see ``open_journal``.

        Args:
            key: The request's key.
            first: The place of the answer's first choice among the request's ``n``.
            answer: The answer.

        Raises:
            StorageError: It cannot be written, or an earlier one could not be.
        """
        record = pack(key, first, answer)
        with self._lock:
            self._refuse_if_closed()
            if self._failure is not None:
                raise self._failure
            self._place.check()
            try:
                writer = self._current_segment()
                offset = writer.append(record)
            except OSError as error:
                raise StorageError(
                    f"{self.place}: an answer cannot be written to the journal: {error.strerror}; "
                    "what is in it is used when the run is started again"
                ) from error
            self._unflushed[writer] = None
            self._index.add(key, first, len(self._paths) - 1, offset, len(record))

    def close(self) -> None:
        """Write what is not written yet and let go of the place; a second call does nothing.

        Raises:
            StorageError: Something could not be written.
        """
        if self._closed:
            return
        self._ending.set()
        self._flusher.join()
        with self._lock:
            self._closed = True
        try:
            self._flush()
        finally:
            for segment in {*self._unflushed, *([self._writer] if self._writer else [])}:
                segment.close()
            self._reader.close()
            self._index.close()
            self._place.close()

    def __enter__(self) -> Journal:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the journal; an error that is on its way is not replaced by another."""
        try:
            self.close()
        except StorageError as failure:
            if error is None:
                raise
            if failure is not error:
                logger.warning("%s", failure)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StorageError(f"{self.place}: the journal is closed")

    def _current_segment(self) -> SegmentWriter:
        """Return the segment to append to; begin one where there is none or it is full."""
        if self._writer is not None and self._writer.size >= self._place.segment_bytes:
            self._unflushed[self._writer] = None  # closed when it is flushed for the last time
            self._writer = None
        if self._writer is None:
            name = SegmentName(self._number + 1, self._owner)
            path = self._place.path_of(name)
            self._writer = SegmentWriter(path)
            self._number += 1
            self._paths.append(path)
        return self._writer

    def _flush_regularly(self) -> None:
        while not self._ending.wait(self._place.flush_seconds):
            try:
                self._flush()
            except StorageError as error:
                with self._lock:
                    self._failure = error

    def _flush(self) -> None:
        """Make what is written last."""
        with self._lock:
            waiting = list(self._unflushed)
            current = self._writer
            self._unflushed.clear()
        while waiting:
            try:
                self._place.flush(waiting[0])
            except BaseException:
                with self._lock:
                    self._unflushed.update(dict.fromkeys(waiting))
                raise
            segment = waiting.pop(0)
            if segment is not current:
                segment.close()
