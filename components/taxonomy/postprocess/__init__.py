"""Turn generated rows into training data and evaluation data."""

from .component import postprocess

__all__ = ["postprocess"]
