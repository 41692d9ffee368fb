"""Ask the teacher the prompt that a column of the row chooses."""

from .component import conditional_llm

__all__ = ["conditional_llm"]
