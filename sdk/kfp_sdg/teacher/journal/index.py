"""Where each kept answer is: a temporary database on disk, so that memory does not grow with it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_CACHE_KIB = 4096


class Index:
    """Key → places of its answers. Used by one thread at a time.

    The database has no name: the system removes it when the process ends, however it ends.

    Attributes:
        size: With how many places it began.
    """

    def __init__(self, places: Iterable[tuple[bytes, int, int, int, int]] = ()) -> None:
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
        try:
            for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute("BEGIN")
            self._database.execute("CREATE TABLE kept (key, first, segment, offset, length)")
            added = self._database.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", places)
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
        try:
            self._database.execute(
                "INSERT INTO kept VALUES (?, ?, ?, ?, ?)", (key, first, segment, offset, length)
            )
        except sqlite3.Error as error:
            raise _refused(error) from error

    def find(self, key: bytes) -> list[tuple[int, int, int, int]]:
        """Return first choice, segment, offset and length of each answer, in the order added.

        Raises:
            StorageError: The disk for temporary files is full or broken.
        """
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


def _refused(error: sqlite3.Error) -> StorageError:
    return StorageError(
        f"the journal's index, in the folder for temporary files, cannot be used: {error}; make "
        "room there, or set TMPDIR to another folder"
    )
