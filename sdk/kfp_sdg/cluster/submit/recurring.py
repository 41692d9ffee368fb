"""Recurring runs on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.submit.uploads import named
from kfp_sdg.errors import ClusterError

if TYPE_CHECKING:
    from kfp_sdg.cluster.submit.server import Server
    from kfp_sdg.cluster.submit.uploads import RunOrder

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """How a run recurs.

    Attributes:
        cron: When it starts, in six fields.
        max_concurrency: The most runs of it at once.
        enabled: Whether it begins now, or when somebody enables it.
        replace: Whether one of the same name is taken away.
    """

    cron: str
    max_concurrency: int = 1
    enabled: bool = True
    replace: bool = False


def start_recurring(server: Server, order: RunOrder, recurrence: Recurrence) -> str:
    """Make a recurring run; return its id.

    A start that was missed, while it was disabled or the server was down, is not made up for: a
    backlog of runs would ask the teacher for the same things again.

    Args:
        server: The server.
        order: What each run of it is like.
        recurrence: How it recurs.

    Raises:
        ClusterError: There is one of its name that is not to be replaced, or the server refuses.
    """
    from kfp_server_api import (
        RecurringRunMode,
        RecurringRunServiceApi,
        V2beta1CronSchedule,
        V2beta1RecurringRun,
        V2beta1Trigger,
    )

    service = RecurringRunServiceApi(server.api)
    what = f"the recurring run {order.name!r}"
    others = _of_name(server, order.name)
    if others and not recurrence.replace:
        raise ClusterError(
            f"there is a recurring run {order.name!r} already ({', '.join(others)}); with "
            "--replace it is replaced, with --run-name this one gets another name"
        )
    body = V2beta1RecurringRun(
        **order.common(),
        trigger=V2beta1Trigger(cron_schedule=V2beta1CronSchedule(cron=recurrence.cron)),
        mode=RecurringRunMode.ENABLE if recurrence.enabled else RecurringRunMode.DISABLE,
        max_concurrency=str(recurrence.max_concurrency),
        no_catchup=True,
    )

    def make() -> Any:
        return service.recurring_run_service_create_recurring_run(
            body, _request_timeout=server.timeout
        )

    made = str(server.write(make, what).recurring_run_id)
    for other in others:  # after the new one is there, so that there always is one

        def remove(other: str = other) -> Any:
            return service.recurring_run_service_delete_recurring_run(
                other, _request_timeout=server.timeout
            )

        server.write(remove, f"the end of {what} of before")
    return made


def _of_name(server: Server, name: str) -> list[str]:
    """Return the ids of the recurring runs of a name."""
    from kfp_server_api import RecurringRunServiceApi

    service = RecurringRunServiceApi(server.api)

    def ask() -> Any:
        return service.recurring_run_service_list_recurring_runs(
            namespace=server.namespace,
            filter=named(name),
            page_size=_PAGE,
            _request_timeout=server.timeout,
        )

    found = server.read(ask, "the recurring runs").recurring_runs or ()
    return [str(run.recurring_run_id) for run in found if run.display_name == name]
