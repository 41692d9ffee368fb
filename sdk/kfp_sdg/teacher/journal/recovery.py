"""Reading what earlier runs left, whatever a kill, a full disk or a bad one did to it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError
from kfp_sdg.teacher.journal.segment import HEADER_BYTES, Damage, Found, SegmentName, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kfp_sdg.teacher.journal.place import Place

logger = logging.getLogger(__name__)


def read_segments(place: Place, paths: list[str]) -> Iterator[tuple[bytes, int, int, int, int]]:
    """Read all segments of a place through; cut off torn ends.

    Args:
        place: The place.
        paths: Gets the path of every segment.

    Yields:
        For each answer: key, place of its first choice, index of its segment among the paths,
        offset and length there.

    Raises:
        StorageError: A segment cannot be read, or a later version of kfp-sdg wrote it.
    """
    for path in place.segments():
        number = len(paths)
        paths.append(path)
        lost: list[Damage] = []
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                for part in scan(file, path):
                    if isinstance(part, Damage):
                        lost.append(part)
                    else:
                        yield part.key, part.first, number, part.offset, part.length
            _mend(place, path, size, lost)
        except OSError as error:
            raise StorageError(f"{path}: cannot be read or mended: {error.strerror}") from error


def count_kept(folder: Path) -> int:
    """Return how many answers a folder's journal holds; nothing is locked, mended or told of.

    Raises:
        StorageError: A segment cannot be read, or a later version of kfp-sdg wrote it.
    """
    count = 0
    try:
        for path in folder.iterdir():
            if SegmentName.parse(path.name):
                with path.open("rb") as file:
                    count += sum(isinstance(part, Found) for part in scan(file, str(path)))
    except OSError as error:
        raise StorageError(f"{folder}: cannot be read: {error.strerror}") from error
    return count


def _mend(place: Place, path: str, size: int, lost: list[Damage]) -> None:
    """Cut off a torn end, and tell what of a segment is lost."""
    if size <= HEADER_BYTES:  # killed before the first record was whole
        place.cut(path, 0)
        return
    if lost and lost[-1].end == size and lost[-1].offset >= HEADER_BYTES:
        tail = lost.pop()
        logger.warning(
            "%s: the last %d bytes, from byte %d on, are no whole record, as after a kill or "
            "a full disk; they are cut off",
            path,
            size - tail.offset,
            tail.offset,
        )
        place.cut(path, tail.offset)
    for damage in lost:
        logger.warning(
            "%s: damaged from byte %d to byte %d; what was kept there is asked for again, the "
            "rest is used",
            path,
            damage.offset,
            damage.end,
        )
