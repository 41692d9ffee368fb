"""One Parquet file. ``pyarrow.parquet.read_table`` is not used: it imports pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import places

if TYPE_CHECKING:
    from pathlib import Path

_ROWS_PER_GROUP = 4096
"""A group is held in memory until it is whole, at the end of a run, when most memory is taken
already: 10,000 rows of a kilobyte in one group take 5 MB more at the peak."""


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as one file, compressed with zstd, with a checksum on each page.

    Raises:
        StorageError: Parquet cannot hold a column's type.
        OSError: The disk refuses.
    """
    from pyarrow import parquet

    table = table.replace_schema_metadata(None)
    try:
        with parquet.ParquetWriter(
            path, table.schema, compression="zstd", write_page_checksum=True
        ) as writer:
            if table.num_rows:
                writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise StorageError(f"{path}: a column cannot be stored as Parquet: {error}") from error


def read_parquet(path: str) -> pa.Table:
    """Read a file.

    Args:
        path: The file, or a URL of it.

    Raises:
        StorageError: The file is missing, damaged, or no Parquet.
    """
    from pyarrow import parquet

    try:
        with (
            places.open_binary(path) as file,
            parquet.ParquetFile(file, page_checksum_verification=True) as reader,
        ):
            table = reader.read()
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{path}: not a Parquet file, or a damaged one: {error}") from None
    return table.replace_schema_metadata(None)
