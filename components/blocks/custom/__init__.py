"""Run a block of any registered type, also of a plugin's."""

from .component import custom

__all__ = ["custom"]
