"""Rows on disk and in object storage: dataset artifacts, JSON, CSV and Parquet.

This package knows no blocks.
"""

from kfp_sdg.storage.artifact import StoredDataset, read_dataset, write_dataset
from kfp_sdg.storage.fingerprint import fingerprint
from kfp_sdg.storage.json_rows import rows_from_objects
from kfp_sdg.storage.manifest import (
    GROUP_COLUMN,
    MANIFEST_NAME,
    GroupBooks,
    HistoryEntry,
    Manifest,
)
from kfp_sdg.storage.rows import read_rows

__all__ = [
    "GROUP_COLUMN",
    "MANIFEST_NAME",
    "GroupBooks",
    "HistoryEntry",
    "Manifest",
    "StoredDataset",
    "fingerprint",
    "read_dataset",
    "read_rows",
    "rows_from_objects",
    "write_dataset",
]
