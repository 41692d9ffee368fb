"""An InferenceService as the Kubernetes API shows it: what of it matters for a teacher."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "serving.kserve.io"
VERSION = "v1beta1"
PLURAL = "inferenceservices"

STOP_ANNOTATION = f"{GROUP}/stop"
"""KServe takes a service down while this is "true"; the dashboard's button sets it too."""


_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""Of KServe's admission webhook (``IsvcNameFmt``)."""

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def why_no_name(name: str, namespace: str = "") -> str:
    """Return why a name or a namespace cannot be one, or "".

    Args:
        name: The name of an InferenceService.
        namespace: Its namespace; "" for none.
    """
    rule = "small letters, digits and '-', a letter or digit at the end"
    if not _NAME.fullmatch(name):
        return f"{name!r} cannot be the name of an InferenceService: {rule}, a letter first"
    if namespace and not _NAMESPACE.fullmatch(namespace):
        return f"{namespace!r} cannot be a namespace: {rule}, and at the beginning"
    return ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of a service's conditions.

    Attributes:
        type: "Ready", "PredictorReady", "IngressReady", "Stopped" …
        status: "True", "False" or "Unknown".
        reason: One word of why, or "".
        message: A sentence about it, or "".
    """

    type: str
    status: str
    reason: str = ""
    message: str = ""

    def __str__(self) -> str:
        """Return the condition as one phrase."""
        why = ": ".join(part for part in (self.reason, self.message) if part)
        return f"{self.type} is {self.status}" + (f" ({why})" if why else "")


@dataclass(frozen=True, slots=True)
class InferenceService:
    """An InferenceService at one moment.

    Nothing here compares ``metadata.generation`` with ``status.observedGeneration``: KServe copies
    the latter from the Deployment (Knative: the Service) that it makes for the predictor
    (``PropagateRawStatus`` in KServe's inference_service_status.go). A Deployment begins at 1
    whenever it is made again, and an annotation does not change a generation at all.

    Attributes:
        body: The whole object.
    """

    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self._metadata.get("name", ""))

    @property
    def resource_version(self) -> str:
        """What changes with each change of the object."""
        return str(self._metadata.get("resourceVersion", ""))

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations."""
        return self._metadata.get("annotations") or {}

    @property
    def pod_annotations(self) -> Mapping[str, str]:
        """The annotations that the service gives its pods, over its own of the same names."""
        return self._predictor.get("annotations") or {}

    @property
    def is_to_be_stopped(self) -> bool:
        """Whether somebody wants it stopped, be it so already or not."""
        return self.annotations.get(STOP_ANNOTATION, "").lower() == "true"

    @property
    def is_being_deleted(self) -> bool:
        """Whether somebody deletes it."""
        return "deletionTimestamp" in self._metadata

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions, as KServe orders them."""
        return tuple(
            Condition(
                str(entry.get("type", "")),
                str(entry.get("status", "Unknown")),
                str(entry.get("reason") or ""),
                str(entry.get("message") or ""),
            )
            for entry in self._status.get("conditions") or ()
        )

    def is_true(self, condition: str) -> bool:
        """Tell whether a condition is there and true.

        Args:
            condition: Its type.
        """
        return any(entry.type == condition and entry.status == "True" for entry in self.conditions)

    @property
    def is_ready(self) -> bool:
        """Whether the teacher serves, as far as KServe knows."""
        return self.is_true("Ready") and not self.is_true("Stopped")

    @property
    def is_stopped(self) -> bool:
        """Whether KServe has begun to delete the pods, or has deleted them."""
        return self.is_true("Stopped")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The URLs without a path to the API: inside of the cluster first, then from outside."""
        status = self._status
        urls = ((status.get("address") or {}).get("url"), status.get("url"))
        return tuple(str(url) for url in urls if url)

    @property
    def model_state(self) -> str:
        """What the model does: "Pending", "Loading", "Loaded", "FailedToLoad", or ""."""
        states = self._model_status.get("states") or {}
        return str(states.get("targetModelState") or "")

    @property
    def failure(self) -> str:
        """Why the model cannot be served as things are, or "".

        ``lastFailureInfo`` alone says nothing: KServe keeps it after the model has loaded.
        """
        transition = str(self._model_status.get("transitionStatus") or "")
        if self.model_state != "FailedToLoad" and transition not in _BLOCKED:
            return ""
        known = self._model_status.get("lastFailureInfo") or {}
        where = f"pod {known['location']}" if known.get("location") else ""
        status = f"exit code {known['exitCode']}" if known.get("exitCode") else ""
        reason = str(known.get("reason") or transition or self.model_state)
        details = ", ".join(part for part in (where, status) if part)
        message = _tail(" ".join(str(known.get("message") or "").split()))
        return reason + (f" ({details})" if details else "") + (f": {message}" if message else "")

    @property
    def runtime(self) -> str:
        """The name of the ServingRuntime, chosen by the service or by KServe, or ""."""
        model = self._predictor.get("model") or {}
        return str(
            model.get("runtime")
            or self._status.get("servingRuntimeName")
            or self._status.get("clusterServingRuntimeName")
            or ""
        )

    @property
    def model_format(self) -> str:
        """The name of the model's format ("vLLM"), or ""."""
        model = self._predictor.get("model") or {}
        return str((model.get("modelFormat") or {}).get("name") or "")

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that the service itself gives its server, without the runtime's."""
        model = self._predictor.get("model") or {}
        containers = [model, *(self._predictor.get("containers") or ())]
        return tuple(str(word) for entry in containers for word in entry.get("args") or ())

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return self.body.get("metadata") or {}

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.body.get("status") or {}

    @property
    def _model_status(self) -> Mapping[str, Any]:
        return self._status.get("modelStatus") or {}

    @property
    def _predictor(self) -> Mapping[str, Any]:
        return (self.body.get("spec") or {}).get("predictor") or {}


_BLOCKED = ("BlockedByFailedLoad", "InvalidSpec")

_MOST_CHARACTERS = 600
"""Of a server's last words; Kubernetes keeps up to 4096, and the cause stands at their end."""


def _tail(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"… {text[-_MOST_CHARACTERS:]}"
