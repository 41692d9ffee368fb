"""Copy columns under new names."""

from .component import duplicate_columns

__all__ = ["duplicate_columns"]
