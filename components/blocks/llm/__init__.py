"""Ask the teacher a prompt for each row and parse its answers into columns."""

from .component import llm

__all__ = ["llm"]
