"""What the journal needs of the place where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kfp_sdg.teacher.journal.segment import SegmentName, SegmentWriter


class Place(Protocol):
    """Where segments live: a local folder, or an object store with a local folder before it."""

    name: str
    folder: str
    flush_seconds: float
    segment_bytes: int

    def segments(self) -> list[str]:
        """Return the local paths of all segments, oldest first."""

    def cut(self, path: str, size: int) -> None:
        """Cut a torn end off a segment."""

    def path_of(self, name: SegmentName) -> str:
        """Return where a new segment is written."""

    def flush(self, segment: SegmentWriter) -> None:
        """Make what is written last; called by a thread of its own, or at the end."""

    def check(self) -> None:
        """Raise a StorageError when the place is no longer ours."""

    def close(self) -> None:
        """Let go of the place."""
