"""Read the first rows of a pipeline from a file or from the run form."""

from .component import load

__all__ = ["load"]
