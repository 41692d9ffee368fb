"""Send each row's chat messages to the teacher and keep its answers."""

from .component import llm_messages

__all__ = ["llm_messages"]
