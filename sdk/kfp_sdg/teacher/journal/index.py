"""Where each kept answer is: a temporary database on disk, so that memory does not grow with it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, TypeAlias

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CACHE_KIB = 4096

_INSERT = "INSERT INTO kept VALUES (?, ?, ?, ?, ?)"

_Place: TypeAlias = tuple[bytes, int, int, int, int]

_AT_ONCE = 1024
"""New places that are put into the database together; one at a time takes ten times as long."""

_FILTER_BITS = 1 << 23
"""Bits of the filter, a megabyte. With a million keys it lets 5 % of the unknown ones through."""


class _Filter:
    """A Bloom filter: tells of most keys that they were never added, for less than a query takes.

    Keys are digests, so their own bytes are as good as hashes of them.
    """

    def __init__(self) -> None:
        self._bits = bytearray(_FILTER_BITS // 8)

    def add(self, key: bytes) -> None:
        for bit in self._bits_of(key):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, key: bytes) -> bool:
        return all(self._bits[bit >> 3] & 1 << (bit & 7) for bit in self._bits_of(key))

    @staticmethod
    def _bits_of(key: bytes) -> tuple[int, int]:
        number = int.from_bytes(key, "big")
        return number % _FILTER_BITS, (number >> 32) % _FILTER_BITS


class Index:
    """Key → places of its answers. Used by one thread at a time.

    The database has no name: the system removes it when the process ends, however it ends.

    Attributes:
        size: With how many places it began.
    """

    def __init__(self, places: Iterable[_Place] = ()) -> None:
        """Begin with these places.

        Args:
            places: For each answer: key, place of its first choice, number of its segment, offset
                and length there.

        Raises:
            StorageError: The disk for temporary files is full.
        """
        # An empty name is SQLite's for a private file that is deleted at once; nothing in it has
        # to survive, so neither a rollback journal nor synchronisation is paid for.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._filter = _Filter()
        self._new: list[_Place] = []
        try:
            for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute("BEGIN")
            self._database.execute("CREATE TABLE kept (key, first, segment, offset, length)")
            added = self._database.executemany(_INSERT, self._filtered(places))
            self.size = max(0, added.rowcount)  # -1 where there was nothing to add
            # Made afterwards: sorting once is much faster than keys at random.
            self._database.execute("CREATE INDEX by_key ON kept (key)")
        except sqlite3.Error as error:
            raise _refused(error) from error

    def add(self, key: bytes, first: int, segment: int, offset: int, length: int) -> None:
        """Add the place of an answer.

        Raises:
            StorageError: The disk for temporary files is full.
        """
        self._filter.add(key)
        self._new.append((key, first, segment, offset, length))
        if len(self._new) >= _AT_ONCE:
            self._store_new()

    def find(self, key: bytes) -> list[tuple[int, int, int, int]]:
        """Return first choice, segment, offset and length of each answer, in the order added.

        Raises:
            StorageError: The disk for temporary files is full or broken.
        """
        if key not in self._filter:
            return []
        self._store_new()
        try:
            found = self._database.execute(
                "SELECT first, segment, offset, length FROM kept WHERE key = ? ORDER BY rowid",
                (key,),
            )
            return found.fetchall()
        except sqlite3.Error as error:
            raise _refused(error) from error

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def _filtered(self, places: Iterable[_Place]) -> Iterator[_Place]:
        for place in places:
            self._filter.add(place[0])
            yield place

    def _store_new(self) -> None:
        """Put into the database what was added since the last time."""
        try:
            self._database.executemany(_INSERT, self._new)
        except sqlite3.Error as error:
            raise _refused(error) from error
        self._new.clear()


def _refused(error: sqlite3.Error) -> StorageError:
    return StorageError(
        f"the journal's index, in the folder for temporary files, cannot be used: {error}; make "
        "room there, or set TMPDIR to another folder"
    )
