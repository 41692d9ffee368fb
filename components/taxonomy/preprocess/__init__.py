"""Turn a taxonomy and its documents into rows for the pipelines."""

from .component import preprocess

__all__ = ["preprocess"]
