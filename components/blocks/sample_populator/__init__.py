"""Add to each row the columns of the file that one of its cells names."""

from .component import sample_populator

__all__ = ["sample_populator"]
