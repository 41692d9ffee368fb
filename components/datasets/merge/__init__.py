"""Put several datasets together, one after the other."""

from .component import merge

__all__ = ["merge"]
