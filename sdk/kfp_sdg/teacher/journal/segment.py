r"""One file of records: a header, then records, each written whole at the end of the file.

    magic    8   b"KFPSDGJ\n"
    version  4   of the format
    checksum 4   CRC-32 of the above

Damage is where bytes are no valid record. Behind it the next record is looked for by its marker.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from kfp_sdg.errors import StorageError
from kfp_sdg.teacher.journal.record import HEAD_BYTES, MARKER, Head

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT_VERSION = 1
_MAGIC = b"KFPSDGJ\n"
_HEADER = struct.Struct(">8sII")
HEADER_BYTES = _HEADER.size

_NAME = re.compile(r"segment-(\d{5,9})-([0-9a-f]{8})(?:\.(\d{5,9}))?\.kfpsdg")
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment's file name says.

    Attributes:
        number: Later segments have higher numbers.
        writer: Who wrote it, so that no two processes ever write the same file.
        upload: How often it was uploaded before, as it grew; None of a local file.
    """

    number: int
    writer: str
    upload: int | None = None

    @classmethod
    def parse(cls, name: str) -> SegmentName | None:
        """Return what a name says; None where it is no segment's."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        number, writer, upload = found.groups()
        return cls(int(number), writer, None if upload is None else int(upload))

    def __str__(self) -> str:
        """Return the file name."""
        upload = "" if self.upload is None else f".{self.upload:05d}"
        return f"segment-{self.number:05d}-{self.writer}{upload}.kfpsdg"


@dataclass(frozen=True, slots=True)
class Found:
    """A valid record.

    Attributes:
        key: The request's key.
        first: The place of the answer's first choice.
        offset: Where the record begins.
        length: Its bytes, head and payload.
    """

    key: bytes
    first: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no record.

    Attributes:
        offset: Where they begin.
        end: Where the next record begins, or the file ends.
    """

    offset: int
    end: int


def header() -> bytes:
    """Return a segment's first bytes."""
    start = _HEADER.pack(_MAGIC, FORMAT_VERSION, 0)[:-4]
    return start + zlib.crc32(start).to_bytes(4, "big")


def scan(file: BinaryIO, source: str) -> Iterator[Found | Damage]:
    """Read a segment from its beginning to its end.

    Args:
        file: The segment, open for reading.
        source: Its name, for errors.

    Raises:
        StorageError: A later version of kfp-sdg wrote it.
    """
    size = os.fstat(file.fileno()).st_size
    offset = 0
    if _header_is_whole(file.read(HEADER_BYTES), source):
        offset = HEADER_BYTES
    while offset < size:
        record = _record_at(file, offset, size) if offset else None
        if record is None:
            record = _next_record(file, offset + 1, size)
            yield Damage(offset, record.offset if record else size)
            if record is None:
                return
        yield record
        offset = record.offset + record.length


def _header_is_whole(data: bytes, source: str) -> bool:
    if len(data) < HEADER_BYTES:
        return False
    magic, version, checksum = _HEADER.unpack(data)
    if magic != _MAGIC or zlib.crc32(data[:-4]) != checksum:
        return False
    if version > FORMAT_VERSION:
        raise StorageError(
            f"{source}: the journal has format version {version}, and this kfp-sdg reads versions "
            f"up to {FORMAT_VERSION}; install a newer kfp-sdg, or choose another folder"
        )
    return True


def _record_at(file: BinaryIO, offset: int, size: int) -> Found | None:
    """Return the record at the file's position, which is the offset; None if there is none."""
    head = Head.read(file.read(HEAD_BYTES))
    if head is None or head.length > size - offset - HEAD_BYTES:
        return None
    if not head.fits(file.read(head.length)):
        return None
    return Found(head.key, head.first, offset, HEAD_BYTES + head.length)


def _next_record(file: BinaryIO, offset: int, size: int) -> Found | None:
    """Look for a record from an offset on; leave the file's position behind it."""
    while offset < size:
        file.seek(offset)
        place = file.read(_READ_AT_ONCE).find(MARKER)
        if place < 0:
            offset += _READ_AT_ONCE - len(MARKER) + 1
            continue
        offset += place
        file.seek(offset)
        record = _record_at(file, offset, size)
        if record is not None:
            return record
        offset += 1
    return None


class SegmentWriter:
    """Appends records to a new segment. Each is handed to the system whole before ``append`` ends.

    Attributes:
        path: The file.
        size: Its bytes, all of them valid.
    """

    def __init__(self, path: str) -> None:
        """Make the file.

        Raises:
            OSError: It cannot be made.
        """
        self.path = path
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def append(self, record: bytes) -> int:
        """Write a record and return its offset.

        Raises:
            OSError: It cannot be written. The file is as it was before.
        """
        data = record if self.size else header() + record
        try:
            written = os.write(self._file, data)
            while written < len(data):  # a disk that is almost full takes a part
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)
        return self.size - len(record)

    def sync(self) -> None:
        """Wait until the disk has everything.

        Raises:
            OSError: It has not.
        """
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class SegmentReader:
    """Reads single records from segments; the file used last stays open."""

    def __init__(self) -> None:
        self._path = ""
        self._file: int | None = None

    def payload(self, path: str, offset: int, length: int, key: bytes) -> bytes | None:
        """Return a record's payload; None where the file no longer holds that record.

        Raises:
            OSError: The file cannot be read.
        """
        if path != self._path or self._file is None:
            self.close()
            self._file = os.open(path, os.O_RDONLY)
            self._path = path
        data = os.pread(self._file, length, offset)
        head = Head.read(data)
        payload = data[HEAD_BYTES:]
        return payload if head and head.key == key and head.fits(payload) else None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
