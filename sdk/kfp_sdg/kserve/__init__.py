"""A teacher's InferenceService: start it, wait until it is ready, stop it.

Speaks to the Kubernetes API as a task in a pod does, with no more rights than OpenShift AI gives
one: get and patch. It never asks the teacher anything.
"""

from kfp_sdg.kserve.client import NotFoundError, ServiceClient
from kfp_sdg.kserve.lifecycle import Endpoint, keep, release, start, stop
from kfp_sdg.kserve.pace import Pace
from kfp_sdg.kserve.report import Report, report
from kfp_sdg.kserve.service import why_no_name
from kfp_sdg.kserve.waiting import NotReadyError

__all__ = [
    "Endpoint",
    "NotFoundError",
    "NotReadyError",
    "Pace",
    "Report",
    "ServiceClient",
    "keep",
    "release",
    "report",
    "start",
    "stop",
    "why_no_name",
]
