"""Rename columns, all at once, so that swaps work."""

from .component import rename_columns

__all__ = ["rename_columns"]
