"""Check the teacher before any long work begins."""

from .component import preflight

__all__ = ["preflight"]
