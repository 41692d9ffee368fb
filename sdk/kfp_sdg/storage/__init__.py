"""Rows on disk and in object storage: dataset artifacts, JSON, CSV and Parquet.

This package knows no blocks.
"""

from kfp_sdg.storage.json_rows import rows_from_objects

__all__ = ["rows_from_objects"]
