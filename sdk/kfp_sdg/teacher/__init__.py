"""The teacher: an OpenAI-compatible model server, asked with many requests in flight.

This package knows no rows and no blocks.
"""

from typing import TYPE_CHECKING

from kfp_sdg.teacher.model import (
    Answer,
    Choice,
    Message,
    Request,
    Teacher,
    TokenLogprobs,
)
from kfp_sdg.teacher.options import TeacherOptions
from kfp_sdg.teacher.statistics import RequestStatistics, Usage

if TYPE_CHECKING:
    from kfp_sdg.teacher.connection import connect, connect_client
    from kfp_sdg.teacher.embedded import embedded_teacher
    from kfp_sdg.teacher.outage import OutageWatcher
    from kfp_sdg.teacher.pool import TeacherPool
else:
    from kfp_sdg.later import imported_later

    # A task of a block that asks nobody needs none of these, nor asyncio.
    __getattr__ = imported_later(
        __name__,
        connection=("connect", "connect_client"),
        embedded=("embedded_teacher",),
        outage=("OutageWatcher",),
        pool=("TeacherPool",),
    )

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
