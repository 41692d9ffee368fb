"""Start and stop a teacher, for runs that may share it and for people.

Who may stop it is decided by two notes in the service's annotation (``uses``): a run stops a
teacher only if a run started it, and only if no other run uses it. So a teacher that a person
started stays, and of several runs the last one out turns off the light. Each decision is made on
one version of the object and written only if the object is still that version.

A note must not restart the pods of a teacher that is up. Whoever starts one shields its pods from
notes (``SHIELD``); in one that is up without a shield, which no run has started, nothing is noted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve.client import ConflictError
from kfp_sdg.kserve.endpoint import base_url, served_model
from kfp_sdg.kserve.service import STOP_ANNOTATION
from kfp_sdg.kserve.uses import SHIELD, USES_ANNOTATION, Uses
from kfp_sdg.kserve.waiting import wait_until_ready, wait_until_stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfp_sdg.kserve.client import ServiceClient
    from kfp_sdg.kserve.service import InferenceService

    Decide = Callable[[InferenceService, Uses], "Decision"]

_DAY = 86_400
"""Seconds for which a run that never crosses itself out is taken to use its teacher."""

_MOST_CONFLICTS = 20
"""Times that somebody else may be faster at changing a service; KServe itself changes it often."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a service, by what it is.

    Attributes:
        stop: Whether it is to be stopped.
        uses: Who uses it.
        line: What is to be told of it; "" for nothing.
    """

    stop: bool
    uses: Uses
    line: str = ""

    def annotations(self, service: InferenceService) -> Mapping[str, str | None]:
        """Return the annotations that have to change; None stands for one that goes.

        Args:
            service: The service as it is.
        """
        change: dict[str, str | None] = {}
        if service.is_to_be_stopped != self.stop:
            change[STOP_ANNOTATION] = "true" if self.stop else "false"
        text = self.uses.text()
        if service.annotations.get(USES_ANNOTATION) != text and (self.stop or _may_note(service)):
            change[USES_ANNOTATION] = text
        return change

    def shield(self, service: InferenceService) -> Mapping[str, str] | None:
        """Return the annotations that the pods have to get: a shield, if they come anew.

        Args:
            service: The service as it is.
        """
        starts = service.is_to_be_stopped and not self.stop
        return SHIELD if starts and not _is_shielded(service) else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A teacher that is ready.

    Attributes:
        url: The base URL of its OpenAI-compatible API, with ``/v1``.
        model_id: The name it serves its model under, "" where only ``/v1/models`` can tell.
    """

    url: str
    model_id: str


def start(
    client: ServiceClient,
    name: str,
    *,
    run: str = "",
    lease: float = _DAY,
    timeout: float = 3600,
    tell: Callable[[str], None],
) -> Endpoint:
    """Start a teacher for a run, or join those who use it, and wait until it is ready.

    Args:
        client: The services of the teacher's namespace.
        name: The name of its InferenceService.
        run: The run's id, for ``stop``; "" for a run that nobody else has to respect.
        lease: Seconds after which the run counts as dead, if it never stops the teacher.
        timeout: Seconds to wait.
        tell: Takes a line about what happens.

    Raises:
        NotReadyError: It was started, and cannot load its model or is not ready in time.
        ClusterError: It is not there, may not be started, or is stopped by somebody else meanwhile.
    """
    until = datetime.now(UTC) + timedelta(seconds=lease)

    def enter(service: InferenceService, uses: Uses) -> Decision:
        started = uses.started_by_run or service.is_to_be_stopped
        noted = _may_note(service)
        line = "" if noted else "is up, and not noted to be used: a note would restart its pods"
        return Decision(False, Uses(started, uses.until).with_run(run, until), line)

    return _started(client, name, enter, timeout, tell)


def keep(
    client: ServiceClient, name: str, *, timeout: float = 3600, tell: Callable[[str], None]
) -> Endpoint:
    """Start a teacher for a person, so that no run stops it, and wait until it is ready.

    Args:
        client: The services of the teacher's namespace.
        name: The name of its InferenceService.
        timeout: Seconds to wait.
        tell: Takes a line about what happens.

    Raises:
        ClusterError: As for ``start``.
    """
    return _started(
        client, name, lambda _, uses: Decision(False, Uses(until=uses.until)), timeout, tell
    )


def stop(client: ServiceClient, name: str, *, run: str = "", tell: Callable[[str], None]) -> None:
    """Stop a teacher after a run, unless others use it or no run started it.

    Args:
        client: The services of the teacher's namespace.
        name: The name of its InferenceService.
        run: The id that the run gave ``start``.
        tell: Takes a line about what happens.

    Raises:
        NotFoundError: There is no such service.
        ClusterError: It may not be stopped.
    """

    def leave(service: InferenceService, uses: Uses) -> Decision:
        left = uses.without_run(run)
        if service.is_to_be_stopped:
            return Decision(True, left if left.until else Uses(), "is to be stopped already")
        if left.until:
            return Decision(False, left, f"stays up, {_runs(left)}")
        if uses.started_by_run:
            return Decision(True, Uses())
        if run and run not in uses.until and _is_shielded(service):
            # This run's start failed before it was noted, or somebody took the note away.
            by_hand = f"kfp-sdg teacher stop {name} -n {client.namespace}"
            return Decision(False, left, f"stays up, no run is noted to use it; by hand: {by_hand}")
        return Decision(False, left, "stays up, it was so before any run used it")

    _stopped(client, name, leave, tell)


def release(
    client: ServiceClient, name: str, *, force: bool = False, tell: Callable[[str], None]
) -> None:
    """Stop a teacher for a person, whoever started it.

    Args:
        client: The services of the teacher's namespace.
        name: The name of its InferenceService.
        force: Stop it though runs use it.
        tell: Takes a line about what happens.

    Raises:
        NotFoundError: There is no such service.
        ClusterError: Runs use it, or it may not be stopped.
    """

    def end(service: InferenceService, uses: Uses) -> Decision:
        if uses.until and not force and not service.is_to_be_stopped:
            raise ClusterError(
                f"InferenceService {name!r} in namespace {client.namespace!r} is in use: "
                f"{_runs(uses)}. Their requests would fail. Stop it all the same with --force"
            )
        return Decision(True, Uses())

    _stopped(client, name, end, tell)


def _started(
    client: ServiceClient,
    name: str,
    decide: Decide,
    timeout: float,
    tell: Callable[[str], None],
) -> Endpoint:
    deadline = time.monotonic() + timeout

    def decide_if_kept(service: InferenceService, uses: Uses) -> Decision:
        if service.is_being_deleted:
            raise ClusterError(
                f"InferenceService {name!r} in namespace {client.namespace!r} is being deleted"
            )
        return decide(service, uses)

    before, after = _change(client, name, decide_if_kept, tell)
    if before.is_to_be_stopped:
        tell(f"{name}: started, in namespace {client.namespace}")
    # KServe has not got round to a stop that is being taken back: what it says may be of before.
    doubtful = before.is_to_be_stopped and not before.is_stopped
    ready = wait_until_ready(client, after, deadline=deadline, doubtful=doubtful, tell=tell)
    endpoint = Endpoint(base_url(ready), served_model(ready))
    tell(f"{name}: ready at {endpoint.url}")
    return endpoint


def _stopped(client: ServiceClient, name: str, decide: Decide, tell: Callable[[str], None]) -> None:
    def decide_if_kept(service: InferenceService, uses: Uses) -> Decision:
        if service.is_being_deleted:
            return Decision(service.is_to_be_stopped, uses, "is being deleted, its pods go with it")
        return decide(service, uses)

    _, after = _change(client, name, decide_if_kept, tell)
    if after.is_to_be_stopped and not after.is_being_deleted:
        wait_until_stopped(client, after, tell=tell)


def _change(
    client: ServiceClient, name: str, decide: Decide, tell: Callable[[str], None]
) -> tuple[InferenceService, InferenceService]:
    """Decide by what a service is, and carry it out; return the service before and after."""
    pauses = client.pace.retries()
    for _ in range(_MOST_CONFLICTS):
        before = after = client.get(name)
        uses = Uses.parse(before.annotations.get(USES_ANNOTATION, ""))
        decision = decide(before, uses.alive(datetime.now(UTC)))
        annotations = decision.annotations(before)
        try:
            if annotations:
                after = client.annotate(before, annotations, of_pods=decision.shield(before))
        except ConflictError:
            time.sleep(min(next(pauses), 1.0))
            continue
        if decision.line:
            tell(f"{name}: {decision.line}")
        return before, after
    raise ClusterError(
        f"InferenceService {name!r} in namespace {client.namespace!r} is changed by others all the "
        f"time: {_MOST_CONFLICTS} attempts to change its annotations were too late"
    )


def _is_shielded(service: InferenceService) -> bool:
    """Tell whether notes in a service's annotations do not reach its pods."""
    return USES_ANNOTATION in service.pod_annotations


def _may_note(service: InferenceService) -> bool:
    """Tell whether a note restarts no pod of a service: there is none, or they are shielded."""
    return service.is_to_be_stopped or _is_shielded(service)


def _runs(uses: Uses) -> str:
    """Return a phrase about the runs that use a teacher."""
    last = max(uses.until.values()).strftime("%Y-%m-%d %H:%M UTC")
    listed = ", ".join(sorted(uses.until))
    kind = "run uses it" if len(uses.until) == 1 else "runs use it"
    return f"{len(uses.until)} {kind} until {last} at most: {listed}"
