"""Turn several columns of a row into several rows."""

from .component import flatten_columns

__all__ = ["flatten_columns"]
