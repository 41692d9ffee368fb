"""Where the rows end up that come out of the last block, a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

COMPACT = 4096
"""Rows that are put into one chunk; the pieces they come in have a few rows each."""


class Sink:
    """Collects rows. An interrupt at any moment leaves it whole."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._tables: list[pa.Table] = []
        self._compacted = self._loose = 0

    def add(self, rows: pa.Table) -> None:
        """Take the next rows; the first table may have none, and shows the columns."""
        if not rows.num_rows and self._tables:
            return
        self._tables.append(rows)
        self._loose += rows.num_rows
        if self._loose >= COMPACT:
            self._compact()

    def rows(self, count: int) -> pa.Table:
        """Return the first so many rows."""
        import pyarrow as pa

        tables = [table for table in self._tables if table.num_rows] or self._tables[:1]
        return pa.concat_tables(tables).slice(0, count)

    def _compact(self) -> None:
        """Put the loose tables into one chunk."""
        import pyarrow as pa

        loose = [table for table in self._tables[self._compacted :] if table.num_rows]
        if len(loose) > 1:
            self._tables[self._compacted :] = [pa.concat_tables(loose).combine_chunks()]
        self._compacted, self._loose = len(self._tables), 0
