"""Look at a service until it is ready or stopped, and say what happens meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve.endpoint import base_url
from kfp_sdg.kserve.service import STOP_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.kserve.client import ServiceClient
    from kfp_sdg.kserve.service import InferenceService


class NotReadyError(ClusterError):
    """A service that was started is not ready; KServe goes on trying, with its GPUs."""


def wait_until_ready(
    client: ServiceClient,
    service: InferenceService,
    *,
    deadline: float,
    doubtful: bool,
    tell: Callable[[str], None],
) -> InferenceService:
    """Return a service once it is ready and has an address.

    Args:
        client: The services of its namespace.
        service: The service as it was last seen.
        deadline: When to give up, in ``time.monotonic`` seconds.
        doubtful: What it says may be of before it was started. It is believed once it says that
            the service is on its way, or after a while.
        tell: Takes a line when something changes, and once in a while.

    Raises:
        NotReadyError: The model cannot be loaded, or the time is over.
        ClusterError: Somebody stops or deletes the service.
    """
    news = _News(service.name, tell, client.pace.remind)
    settled = time.monotonic() + client.pace.settle
    for pause in client.pace.polls():
        _fail_if_taken_away(service, client.namespace)
        final = service.is_ready or bool(service.failure)
        doubtful = doubtful and final and time.monotonic() < settled
        if not doubtful:
            if service.failure:
                raise NotReadyError(
                    f"InferenceService {service.name!r} in namespace {client.namespace!r} cannot "
                    f"serve its model: {service.failure}. Look at its pod's log while it is there: "
                    f"{_logs_command(service, client.namespace)}"
                )
            if service.is_ready and base_url(service):
                return service
        news.report("KServe has not seen the start yet" if doubtful else state_of(service))
        if time.monotonic() + pause > deadline:
            raise NotReadyError(_not_in_time(service, client.namespace, news.seconds))
        time.sleep(pause)
        service = client.get(service.name)
    raise AssertionError("polls never end")


def wait_until_stopped(
    client: ServiceClient, service: InferenceService, *, tell: Callable[[str], None]
) -> None:
    """Watch KServe stop a service for a while.

    The annotation is what stops it: KServe acts on that whenever it comes to it, so a stop that is
    not seen, in time or at all, is worth a line, and no failure.

    Args:
        client: The services of its namespace.
        service: The service as it was last seen.
        tell: Takes a line about it.
    """
    deadline = time.monotonic() + client.pace.stopping
    for pause in client.pace.polls():
        if service.is_stopped:
            tell(f"{service.name}: stopped, its pods are gone or about to go")
            return
        if not service.is_to_be_stopped:
            tell(f"{service.name}: somebody has started it again")
            return
        if time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
        try:
            service = client.get(service.name)
        except ClusterError as error:
            tell(f"{service.name}: is to be stopped, and cannot be looked at any more: {error}")
            return
    tell(
        f"{service.name}: is to be stopped, but KServe has not said for "
        f"{client.pace.stopping:g} s that it is ({state_of(service)})"
    )


class _News:
    """Says what is new, and once in a while that nothing is."""

    def __init__(self, name: str, tell: Callable[[str], None], remind: float) -> None:
        self._name = name
        self._tell = tell
        self._remind = remind
        self._started = self._said = time.monotonic()
        self._last = ""

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return time.monotonic() - self._started

    def report(self, state: str) -> None:
        """Say a state if it is another one, or if nothing was said for long."""
        now = time.monotonic()
        if state == self._last and now - self._said < self._remind:
            return
        still = f"still, after {self.seconds:.0f} s: " if state == self._last else ""
        self._tell(f"{self._name}: {still}{state}")
        self._last, self._said = state, now


def state_of(service: InferenceService) -> str:
    """Return one phrase about what a service waits for.

    Args:
        service: The service, not ready.
    """
    if not service.conditions:
        return "KServe has not said anything about it yet"
    if service.is_stopped and not service.is_to_be_stopped:
        return "stopped, KServe is about to start it"
    open_ones = [
        str(condition)
        for condition in service.conditions
        if condition.type not in ("Ready", "Stopped") and condition.status != "True"
    ]
    if service.model_state:
        open_ones.append(f"the model is {service.model_state}")
    if service.is_ready:
        return "Ready is True, but there is no address yet"
    return ", ".join(open_ones) or ", ".join(str(condition) for condition in service.conditions)


def _fail_if_taken_away(service: InferenceService, namespace: str) -> None:
    """Raise an error if somebody stops or deletes a service that is being started."""
    if service.is_being_deleted or service.is_to_be_stopped:
        what = "deleted" if service.is_being_deleted else "stopped"
        raise ClusterError(
            f"InferenceService {service.name!r} in namespace {namespace!r} was {what} by somebody "
            "else while it was being started. If Argo CD keeps it, let it ignore the annotation "
            f"{STOP_ANNOTATION}"
        )


def _not_in_time(service: InferenceService, namespace: str, seconds: float) -> str:
    conditions = "; ".join(str(condition) for condition in service.conditions) or "none yet"
    return (
        f"InferenceService {service.name!r} in namespace {namespace!r} is not ready after "
        f"{seconds:.0f} s. Its conditions: {conditions}"
        + (f"; the model is {service.model_state}" if service.model_state else "")
        + f". Look at `kubectl get pods -n {namespace} -l {_label(service)}`: a pod that is "
        "Pending finds no node with free GPUs, one in Init fetches the weights, a running one has "
        f"a log ({_logs_command(service, namespace)}). A longer `timeout` lets it take longer"
    )


def _logs_command(service: InferenceService, namespace: str) -> str:
    return f"`kubectl logs -n {namespace} -l {_label(service)} --all-containers --tail=50`"


def _label(service: InferenceService) -> str:
    return f"serving.kserve.io/inferenceservice={service.name}"
