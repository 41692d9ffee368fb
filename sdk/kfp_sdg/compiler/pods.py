"""What the pods of a compiled pipeline look like: one object that reaches every task."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.kubernetes_words import (
    annotation_value,
    image_reference,
    label_key,
    label_value,
    object_name,
)
from kfp_sdg.compiler.parameters import RunParameter
from kfp_sdg.compiler.resources import (
    PAIRS,
    Resource,
    ResourceOverride,
    Resources,
    TaskKind,
    task_resources,
)
from kfp_sdg.components.image import RUNTIME_IMAGE, TAXONOMY_IMAGE, component_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp.dsl import PipelineTask

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
"""What a taint does with pods that do not tolerate it."""

_RESERVED = ("pipelines.kubeflow.org/", "workflows.argoproj.io/")
"""Where the labels and annotations begin that Kubeflow Pipelines knows its own pods by."""

_FIRST_WAIT = "30s"
_WAIT_FACTOR = 4.0
_RETRY_WITHIN = "2592000s"
"""30 days. Argo counts this from the start of the first attempt and tries nothing again after it
(``processNodeRetries`` in its operator); KFP's default is an hour, and a block may take longer."""

_TOLERATIONS = (
    "The taints of nodes that the tasks may run on: a JSON list of Kubernetes' tolerations, such "
    'as [{"key": "batch", "operator": "Exists", "effect": "NoSchedule"}].'
)
_NODE_SELECTOR = (
    "The labels that a node has to have for the tasks to run on it: a JSON object. {}: any node."
)
_PULLING = (
    "The Kubernetes Secret to pull the tasks' images with. It need not exist where the registry "
    "asks for nothing, but KFP wants a name here."
)
_PULL_SECRET_NAME = "kfp-sdg-pull"  # noqa: S105 - the name of a Secret


class PodParameter(StrEnum):
    """A setting of pods that the run form may ask for."""

    CPU_LIMIT = "cpu-limit"
    MEMORY_LIMIT = "memory-limit"
    TOLERATIONS = "tolerations"
    NODE_SELECTOR = "node-selector"
    IMAGE_PULL_SECRET = "image-pull-secret"  # noqa: S105 - the name of a setting

    @property
    def field(self) -> str:
        """The name of its field in the run form.

        It is no name that a component's input has: KFP puts a resource in the place of an input
        called ``cpu_limit`` or ``memory_limit``, without a word.
        """
        return f"pod_{self.value.replace('-', '_')}"


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint of nodes that pods may run on all the same.

    Attributes:
        key: The taint's key.
        value: Its value; None for any.
        effect: One of ``EFFECTS``.
    """

    key: str
    value: str | None
    effect: str

    @classmethod
    def parse(cls, text: str) -> Toleration:
        """Read ``KEY[=VALUE]:EFFECT``, as ``kubectl taint`` writes it.

        Args:
            text: What was typed.

        Raises:
            ValueError: Kubernetes would refuse it.
        """
        taint, _, effect = text.rpartition(":")
        if effect not in EFFECTS:
            raise ValueError(
                f"{text!r} has no effect; expected KEY[=VALUE]:EFFECT, where the effect is one of "
                f"{', '.join(EFFECTS)}"
            )
        key, equals, value = taint.partition("=")
        return cls(label_key(key), label_value(value) if equals else None, effect)

    def as_json(self) -> dict[str, str]:
        """Return Kubernetes' object."""
        operator = {"operator": "Exists"} if self.value is None else {"value": self.value}
        return {"key": self.key, "operator": "Equal", **operator, "effect": self.effect}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOptions:
    """How the pods of a pipeline's tasks are to be.

    Attributes:
        resources: CPU and memory that are not as by default.
        tolerations: Taints of nodes that the pods may run on.
        node_selector: Labels that a node has to have.
        image_pull_secrets: The names of Secrets to pull images with.
        labels: Labels of the pods.
        annotations: Annotations of the pods.
        retries: How often a task is tried again that fails after something was paid for; the first
            tasks of a pipeline and those that only check are never.
        run_as_non_root: Let Kubernetes refuse an image that runs as root. Never a user's number,
            since OpenShift gives each namespace its own.
        runtime_image: The image of all tasks but those of ``taxonomy_image``; None for ours.
        taxonomy_image: The image of the task that reads taxonomies and documents; None for ours.
        parameters: The settings that the run form asks for, with these values as its defaults.

    Raises:
        ValueError: Kubernetes would refuse something; the text says what was expected.
    """

    resources: tuple[ResourceOverride, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    image_pull_secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    retries: int = 2
    run_as_non_root: bool = True
    runtime_image: str | None = None
    taxonomy_image: str | None = None
    parameters: tuple[PodParameter, ...] = ()

    def __post_init__(self) -> None:
        """Look at everything once, so that a mistake is found where it was made."""
        task_resources(self.resources)
        for key, value in (*self.node_selector.items(), *self.labels.items()):
            label_key(key), label_value(value)
        for key, value in self.annotations.items():
            label_key(key), annotation_value(value)
        for key in (*self.labels, *self.annotations):
            if key.startswith(_RESERVED):
                raise ValueError(f"{key!r} is one of the keys that Kubeflow Pipelines sets itself")
        for name in self.image_pull_secrets:
            object_name(name)
        for image in (self.runtime_image, self.taxonomy_image):
            if image is not None:
                image_reference(image)
        if self.retries < 0:
            raise ValueError(f"{self.retries} is no number of retries; expected 0 or more")
        _ = self.run_parameters

    @property
    def run_parameters(self) -> tuple[RunParameter, ...]:
        """The run form's fields for pods."""
        return tuple(self._run_parameter(p) for p in PodParameter if p in self.parameters)

    def image(self, folder: str) -> str:
        """Return the image that a component runs in.

        Args:
            folder: The component's folder: "blocks/llm".
        """
        others = {RUNTIME_IMAGE: self.runtime_image, TAXONOMY_IMAGE: self.taxonomy_image}
        ours = component_image(folder)
        return others[ours] or ours

    def apply(
        self,
        task: PipelineTask,
        folder: str,
        kind: TaskKind,
        run: Mapping[str, Any],
        *,
        tried_again: bool,
    ) -> None:
        """Give a task its pod.

        Args:
            task: The task, of a component and not of a pipeline.
            folder: Its component's folder.
            kind: What it does.
            run: The channels of the run's parameters by name, at least of ``run_parameters``.
            tried_again: Whether another attempt may help where one has failed.
        """
        if self.image(folder) != component_image(folder):
            task.set_container_image(self.image(folder))
        if tried_again and self.retries:
            task.set_retry(self.retries, _FIRST_WAIT, _WAIT_FACTOR, _RETRY_WITHIN)
        self._set_resources(task, task_resources(self.resources)[kind], run)
        self._set_placement(task, run)

    def _run_parameter(self, parameter: PodParameter) -> RunParameter:
        """Return a field of the run form; its default is never empty where KFP wants a value."""
        if parameter is PodParameter.TOLERATIONS:
            tolerations = [toleration.as_json() for toleration in self.tolerations]
            return RunParameter(parameter.field, list, _TOLERATIONS, tolerations)
        if parameter is PodParameter.NODE_SELECTOR:
            return RunParameter(parameter.field, dict, _NODE_SELECTOR, dict(self.node_selector))
        if parameter is PodParameter.IMAGE_PULL_SECRET:
            secret = next(iter(self.image_pull_secrets), _PULL_SECRET_NAME)
            return RunParameter(parameter.field, str, _PULLING, secret)
        return self._limit_parameter(parameter)

    def _limit_parameter(self, parameter: PodParameter) -> RunParameter:
        """Return the field of a limit, which is the same for all tasks: the largest of theirs."""
        limit = Resource(parameter.value)
        request, _, measure = next(pair for pair in PAIRS if pair[1] is limit)
        of_kinds = task_resources(self.resources).values()
        limits = [r[limit] for r in of_kinds if limit in r]
        requests = [r[request] for r in of_kinds if request in r]
        if not limits:
            raise ValueError(f"the run form cannot ask for the {limit.value} where it is none")
        least = f" At least {max(requests, key=measure)}." if requests else ""
        what = "CPUs" if parameter is PodParameter.CPU_LIMIT else "memory"
        return RunParameter(
            parameter.field,
            str,
            f"The most {what} that a task may use, as Kubernetes writes it.{least}",
            max(limits, key=measure),
        )

    def _set_resources(
        self, task: PipelineTask, resources: Resources, run: Mapping[str, Any]
    ) -> None:
        setters = {
            Resource.CPU_REQUEST: task.set_cpu_request,
            Resource.CPU_LIMIT: task.set_cpu_limit,
            Resource.MEMORY_REQUEST: task.set_memory_request,
            Resource.MEMORY_LIMIT: task.set_memory_limit,
        }
        asked = {
            Resource(parameter.value): run[parameter.field]
            for parameter in self.parameters
            if parameter.value in list(Resource)
        }
        for resource, quantity in {**resources, **asked}.items():
            setters[resource](quantity)
        # KFP itself forgets to lead these channels into the conditions around a task.
        task.register_pipeline_channels(list(asked.values()))

    def _set_placement(self, task: PipelineTask, run: Mapping[str, Any]) -> None:
        from kfp import kubernetes

        if PodParameter.TOLERATIONS in self.parameters:
            kubernetes.add_toleration_json(task, run[PodParameter.TOLERATIONS.field])
        else:
            kubernetes.add_toleration_json(task, [t.as_json() for t in self.tolerations])
        if PodParameter.NODE_SELECTOR in self.parameters:
            kubernetes.add_node_selector_json(task, run[PodParameter.NODE_SELECTOR.field])
        else:
            for key, value in sorted(self.node_selector.items()):
                kubernetes.add_node_selector(task, key, value)
        secrets: list[Any] = list(self.image_pull_secrets)
        if PodParameter.IMAGE_PULL_SECRET in self.parameters:
            secrets[:1] = [run[PodParameter.IMAGE_PULL_SECRET.field]]
        kubernetes.set_image_pull_secrets(task, secrets)
        for key, value in sorted(self.labels.items()):
            kubernetes.add_pod_label(task, key, value)
        for key, value in sorted(self.annotations.items()):
            kubernetes.add_pod_annotation(task, key, value)
        if self.run_as_non_root:
            kubernetes.set_security_context(task, run_as_non_root=True)
