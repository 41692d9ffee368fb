"""The teacher: an OpenAI-compatible model server, asked with many requests in flight.

This package knows no rows and no blocks.
"""

from kfp_sdg.teacher.connection import connect, connect_client
from kfp_sdg.teacher.embedded import embedded_teacher
from kfp_sdg.teacher.model import (
    Answer,
    Choice,
    Message,
    Request,
    Teacher,
    TokenLogprobs,
)
from kfp_sdg.teacher.options import TeacherOptions
from kfp_sdg.teacher.outage import OutageWatcher
from kfp_sdg.teacher.pool import TeacherPool
from kfp_sdg.teacher.statistics import RequestStatistics, Usage

__all__ = [
    "Answer",
    "Choice",
    "Message",
    "OutageWatcher",
    "Request",
    "RequestStatistics",
    "Teacher",
    "TeacherOptions",
    "TeacherPool",
    "TokenLogprobs",
    "Usage",
    "connect",
    "connect_client",
    "embedded_teacher",
]
