"""Send a compiled pipeline to a cluster, start it, follow it, and fetch what came of it.

Talks to the API server of Kubeflow Pipelines, alone or in Kubeflow or OpenShift AI, as a person
outside of the cluster or a pod inside of it. It never compiles and never runs a block.
"""

from kfp_sdg.cluster.submit.cron import Schedule, schedule
from kfp_sdg.cluster.submit.dspa import pipeline_server
from kfp_sdg.cluster.submit.fetching import Fetched, fetch, require_way
from kfp_sdg.cluster.submit.following import RunObserver, Watching, failures, follow, last_words
from kfp_sdg.cluster.submit.metadata import require_metadata
from kfp_sdg.cluster.submit.package import Package, package_of, read_package
from kfp_sdg.cluster.submit.parameters import Given, check_parameters, read_parameter_file
from kfp_sdg.cluster.submit.recurring import Recurrence, start_recurring
from kfp_sdg.cluster.submit.room import require_room
from kfp_sdg.cluster.submit.server import MissingError, Server
from kfp_sdg.cluster.submit.states import RunState, RunView, TaskState, TaskView
from kfp_sdg.cluster.submit.target import Target, kubeflow
from kfp_sdg.cluster.submit.uploads import (
    RunOrder,
    Uploaded,
    experiment,
    get_run,
    package_of_run,
    start_run,
    terminate,
    upload,
)

__all__ = [
    "Fetched",
    "Given",
    "MissingError",
    "Package",
    "Recurrence",
    "RunObserver",
    "RunOrder",
    "RunState",
    "RunView",
    "Schedule",
    "Server",
    "Target",
    "TaskState",
    "TaskView",
    "Uploaded",
    "Watching",
    "check_parameters",
    "experiment",
    "failures",
    "fetch",
    "follow",
    "get_run",
    "kubeflow",
    "last_words",
    "package_of",
    "package_of_run",
    "pipeline_server",
    "read_package",
    "read_parameter_file",
    "require_metadata",
    "require_room",
    "require_way",
    "schedule",
    "start_recurring",
    "start_run",
    "terminate",
    "upload",
]
