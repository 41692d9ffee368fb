"""Give a dataset without rows, for a branch that has nothing to do."""

from .component import empty

__all__ = ["empty"]
