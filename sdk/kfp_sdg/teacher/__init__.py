"""The teacher: an OpenAI-compatible model server, asked with many requests in flight.

This package knows no rows and no blocks.
"""

from kfp_sdg.teacher.model import (
    Answer,
    Choice,
    Message,
    Request,
    Teacher,
    TokenLogprobs,
    Usage,
)
from kfp_sdg.teacher.pool import TeacherPool

__all__ = [
    "Answer",
    "Choice",
    "Message",
    "Request",
    "Teacher",
    "TeacherPool",
    "TokenLogprobs",
    "Usage",
]
