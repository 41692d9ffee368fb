"""Join the texts of several columns into one new column."""

from .component import combine_columns

__all__ = ["combine_columns"]
