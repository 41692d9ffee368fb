"""Start a teacher on KServe."""

from .component import start_teacher

__all__ = ["start_teacher"]
