"""Copy the column that another column chooses."""

from .component import selector

__all__ = ["selector"]
