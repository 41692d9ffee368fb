"""Run another block several times on the same rows and collect the results."""

from .component import iterate

__all__ = ["iterate"]
