"""Set a column to the value that most rows of the dataset have."""

from .component import set_to_majority_value

__all__ = ["set_to_majority_value"]
