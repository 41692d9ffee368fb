"""Fail where nothing came of a leaf, after everything else is there."""

from .component import check_leaves

__all__ = ["check_leaves"]
