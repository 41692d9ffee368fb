"""Stop a teacher on KServe."""

from .component import stop_teacher

__all__ = ["stop_teacher"]
