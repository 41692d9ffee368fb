"""What KServe's controller makes of an InferenceService in Standard mode, step by step.

The order of conditions is that of KServe's own code (controller.go, components/predictor.go and
inference_service_status.go of its main branch, August 2026):

- stopped: the status is emptied but for the deployment mode; PredictorReady and IngressReady are
  False for the reason Stopped, Stopped is True, and there is no address;
- started: the address is there at once; PredictorReady follows the Deployment, the model's state
  its first pod. ``observedGeneration`` is the Deployment's, which begins at 1 again;
- annotations of the service are copied into the template of its pods, those of the predictor over
  them; when the template changes, the pods are replaced.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STOP = "serving.kserve.io/stop"
OVERDUE = (
    "ProgressDeadlineExceeded",
    'ReplicaSet "teacher-1" has timed out progressing.',
)
UNAVAILABLE = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def inference_service(
    name: str,
    namespace: str = "sdg",
    *,
    stopped: bool = True,
    pod_annotations: Mapping[str, str] | None = None,
    **predictor: Any,
) -> dict[str, Any]:
    """Return a teacher as its manifest has it, for our ServingRuntime."""
    model = {"modelFormat": {"name": "vLLM"}, "runtime": "kfp-sdg-vllm", **predictor}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "generation": 3,
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                STOP: "true" if stopped else "false",
            },
        },
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "model": model,
                **({"annotations": dict(pod_annotations)} if pod_annotations else {}),
            }
        },
    }


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    """Return a condition as the API has it: what is empty is left out."""
    entry = {"type": kind, "status": status, "reason": reason, "message": message}
    return {key: value for key, value in entry.items() if value}


def stopped_status() -> dict[str, Any]:
    """Return the status of a service that KServe has stopped."""
    kinds = ("IngressReady", "PredictorReady", "Ready")
    return {
        "deploymentMode": "Standard",
        "modelStatus": {"transitionStatus": ""},
        "conditions": [
            *(condition(kind, "False", "Stopped") for kind in kinds),
            condition("Stopped", "True"),
        ],
    }


def running_status(
    service: Mapping[str, Any],
    predictor: Sequence[str],
    model: str,
    *,
    failure: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> dict[str, Any]:
    """Return the status of a service that KServe brings or has brought up.

    Args:
        service: The service.
        predictor: Status, reason and message of PredictorReady; of Ready too.
        model: The state of its model.
        failure: ``lastFailureInfo``.
        address: The URL inside of the cluster; None for the usual one, "" for none yet.
    """
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    transition = {"Loaded": "UpToDate", "FailedToLoad": "BlockedByFailedLoad"}
    model_status = {
        "transitionStatus": transition.get(model, "InProgress"),
        "states": {"activeModelState": "", "targetModelState": model},
        "copies": {"failedCopies": 0},
        **({"lastFailureInfo": dict(failure)} if failure else {}),
    }
    usual = f"http://{name}-predictor.{namespace}.svc.cluster.local"
    url = usual if address is None else address
    external = f"http://{name}-{namespace}.example.com"
    return {
        "deploymentMode": "Standard",
        "observedGeneration": 1,
        **({"address": {"url": url}, "url": external} if url else {}),
        "modelStatus": model_status,
        "conditions": [
            condition("IngressReady", "True"),
            condition("PredictorReady", *predictor),
            condition("Ready", *predictor),
            condition("Stopped", "False"),
        ],
    }


@dataclass
class Controller:
    """Moves a service one step further each time that somebody looks at it.

    Attributes:
        loading: Looks at a service whose weights are loaded.
        overdue: The loading takes longer than the Deployment's 600 seconds.
        lag: Looks that pass before a change of the stop annotation is noticed.
        never_ready: The service stays where it loads.
        failure: ``lastFailureInfo`` of a model that cannot be loaded.
        address: The URL inside of the cluster that the service gets; None for the usual one.
        late_address: The service is ready one look before it has an address.
        rollouts: How often the pods of a service that is up had to be replaced.
    """

    loading: int = 1
    overdue: bool = False
    lag: int = 0
    never_ready: bool = False
    failure: Mapping[str, Any] | None = None
    address: str | None = None
    late_address: bool = False
    rollouts: int = 0
    _scripts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _noticed: dict[str, bool] = field(default_factory=dict)
    _waited: dict[str, int] = field(default_factory=dict)
    _templates: dict[str, dict[str, str]] = field(default_factory=dict)

    def step(self, service: dict[str, Any]) -> bool:
        """Bring a service's status one step further; tell whether it changed."""
        key = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
        annotations = service["metadata"].get("annotations") or {}
        stop = annotations.get(STOP, "").lower() == "true"
        if self._noticed.get(key) != stop:
            if key in self._noticed and self._waited.get(key, 0) < self.lag:
                self._waited[key] = self._waited.get(key, 0) + 1
                return False
            self._noticed[key], self._waited[key] = stop, 0
            self._scripts[key] = [stopped_status()] if stop else self._coming_up(service)
            self._templates.pop(key, None)
        template = {**annotations, **(service["spec"]["predictor"].get("annotations") or {})}
        if not stop and self._templates.setdefault(key, template) != template:
            self.rollouts += 1
            self._templates[key] = template
            self._scripts[key] = self._coming_up(service)
        script = self._scripts[key]
        before = deepcopy(service.get("status"))
        service["status"] = script.pop(0) if len(script) > 1 else deepcopy(script[0])
        return service["status"] != before

    def settle(self, service: dict[str, Any]) -> None:
        """Bring a service to the end of what its annotation asks for."""
        for _ in range(self.loading + 8):
            self.step(service)

    def _coming_up(self, service: Mapping[str, Any]) -> list[dict[str, Any]]:
        waiting = ("False", *(OVERDUE if self.overdue else UNAVAILABLE))
        steps = [running_status(service, ("False",), "Pending", address=self.address)]
        loading = running_status(service, waiting, "Loading", address=self.address)
        steps += [deepcopy(loading) for _ in range(self.loading)]
        if self.never_ready:
            return [*steps, loading]
        if self.failure:
            failed = running_status(service, waiting, "FailedToLoad", failure=self.failure)
            return [*steps, failed]
        up = ("True", "NewReplicaSetAvailable")
        if self.late_address:
            steps.append(running_status(service, up, "Loaded", address=""))
        return [*steps, running_status(service, up, "Loaded", address=self.address)]
