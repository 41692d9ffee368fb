"""How a teacher is, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kfp_sdg.kserve.endpoint import base_url, served_model
from kfp_sdg.kserve.uses import USES_ANNOTATION, Uses
from kfp_sdg.kserve.waiting import state_of

if TYPE_CHECKING:
    from kfp_sdg.kserve.service import InferenceService


@dataclass(frozen=True, slots=True)
class Report:
    """How a teacher is at one moment.

    Attributes:
        state: "ready", "starting", "failed", "stopping", "stopped" or "deleting".
        detail: What it waits for, or why it failed; "" for nothing to say.
        url: The base URL of its API, "" while it has no address.
        model_id: The name it serves its model under, "" where only ``/v1/models`` can tell.
        uses: The runs that use it, and whether a run started it.
    """

    state: str
    detail: str
    url: str
    model_id: str
    uses: Uses


def report(service: InferenceService) -> Report:
    """Return how a teacher is.

    Args:
        service: Its InferenceService.
    """
    uses = Uses.parse(service.annotations.get(USES_ANNOTATION, "")).alive(datetime.now(UTC))
    state, detail = _state(service)
    return Report(state, detail, base_url(service), served_model(service), uses)


def _state(service: InferenceService) -> tuple[str, str]:
    if service.is_being_deleted:
        return "deleting", ""
    if service.is_to_be_stopped:
        return ("stopped" if service.is_stopped else "stopping"), ""
    if service.failure:
        return "failed", service.failure
    if service.is_ready and base_url(service):
        return "ready", ""
    return "starting", state_of(service)
