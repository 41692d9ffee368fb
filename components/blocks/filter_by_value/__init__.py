"""Keep the rows whose column compares well with a value."""

from .component import filter_by_value

__all__ = ["filter_by_value"]
