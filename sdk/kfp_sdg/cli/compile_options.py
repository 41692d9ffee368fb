"""Options of ``kfp-sdg compile`` about the teacher, pods and images, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kfp_sdg.compiler.pods import PodOptions
    from kfp_sdg.compiler.resources import ResourceOverride
    from kfp_sdg.compiler.teacher_source import TeacherSource

    Parsed = TypeVar("Parsed")

TEACHER = "Teacher"
PODS = "Pods"
IMAGES = "Images"
"""The parts of the command's help."""

_KINDS = "KIND is asking, column or taxonomy; without it, all tasks."


_SERVICE = "inferenceservice"


class Key(StrEnum):
    """What the tasks show to the teacher's server."""

    SECRET = "secret"  # noqa: S105 - the name of a choice
    SERVICE_ACCOUNT = "service-account"


class PodField(StrEnum):
    """A setting of pods that the run form can ask for."""

    CPU_LIMIT = "cpu-limit"
    MEMORY_LIMIT = "memory-limit"
    TOLERATIONS = "tolerations"
    NODE_SELECTOR = "node-selector"
    IMAGE_PULL_SECRET = "image-pull-secret"  # noqa: S105 - the name of a setting


def _quantity(name: str, help_text: str) -> object:
    return typer.Option(
        f"--{name}",
        metavar="[KIND=]QUANTITY",
        help=help_text,
        rich_help_panel=PODS,
        show_default=False,
    )


TeacherOption = Annotated[
    str | None,
    typer.Option(
        metavar=f"{_SERVICE}:NAME",
        help="An InferenceService of KServe that is started for the run, checked, and stopped "
        "after it, also when a task fails. Without it the run form asks for the teacher's URL.",
        rich_help_panel=TEACHER,
        show_default=False,
    ),
]
PreflightOption = Annotated[
    bool,
    typer.Option(
        "--preflight",
        help="Check the teacher before the blocks begin: URL, key, models, context, an answer. "
        "--teacher always does.",
        rich_help_panel=TEACHER,
    ),
]
TeacherKeyOption = Annotated[
    Key | None,
    typer.Option(
        help="What the tasks show to the teacher's server: the API key of a Secret that the run "
        "form names, or the token of their own service account, which goes over https to servers "
        "in the cluster alone. Not given: service-account with --teacher, else secret.",
        rich_help_panel=TEACHER,
        show_default=False,
    ),
]
TeacherKeyHostOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST",
        help="A server outside the cluster, or behind its router, that may be shown the service "
        "account's token too: teacher.apps.example.com, or *.apps.example.com for all below. May "
        "be repeated.",
        rich_help_panel=TEACHER,
        show_default=False,
    ),
]
CpuRequestOption = Annotated[
    list[str] | None,
    _quantity(
        "cpu-request",
        f"CPU that a task is sure to get, such as 500m; 'none' sets nothing. {_KINDS} May be "
        "repeated, as all of these.",
    ),
]
CpuLimitOption = Annotated[
    list[str] | None, _quantity("cpu-limit", "The most CPU that a task may use, such as 2.")
]
MemoryRequestOption = Annotated[
    list[str] | None,
    _quantity("memory-request", "Memory that a task is sure to get, such as 512Mi."),
]
MemoryLimitOption = Annotated[
    list[str] | None,
    _quantity("memory-limit", "The most memory that a task may use, such as asking=8Gi."),
]
TolerationOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY[=VALUE]:EFFECT",
        help="A taint of nodes that the tasks may run on, such as batch=sdg:NoSchedule. May be "
        "repeated.",
        rich_help_panel=PODS,
        show_default=False,
    ),
]
NodeSelectorOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="A label that a node has to have. May be repeated.",
        rich_help_panel=PODS,
        show_default=False,
    ),
]
ImagePullSecretOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A Secret to pull the images with. May be repeated.",
        rich_help_panel=PODS,
        show_default=False,
    ),
]
PodLabelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="A label of every pod. May be repeated.",
        rich_help_panel=PODS,
        show_default=False,
    ),
]
PodAnnotationOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="An annotation of every pod. May be repeated.",
        rich_help_panel=PODS,
        show_default=False,
    ),
]
RetriesOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="How often a task that failed is tried again, half a minute later and then two. With "
        "a checkpoint_uri it goes on where it was; without one it asks for everything again. Argo "
        "does not try again what was deleted, such as a pod on a node that was drained.",
        rich_help_panel=PODS,
    ),
]
AllowRootOption = Annotated[
    bool,
    typer.Option(
        "--allow-root",
        help="Run images too that run as root. By default Kubernetes refuses them; servers before "
        "KFP 2.16 cannot be told to and need this.",
        rich_help_panel=PODS,
    ),
]
PodParameterOption = Annotated[
    list[PodField] | None,
    typer.Option(
        "--pod-parameter",
        metavar="SETTING",
        help=f"Let the run form ask for one of {', '.join(PodField)}; what is given here becomes "
        "its default. May be repeated.",
        rich_help_panel=PODS,
        show_default=False,
    ),
]
RuntimeImageOption = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE",
        envvar="RELATED_IMAGE_KFP_SDG_RUNTIME",
        help="The image that the tasks run in; one of your own for --plugin, or a mirror's.",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]
TaxonomyImageOption = Annotated[
    str | None,
    typer.Option(
        metavar="IMAGE",
        envvar="RELATED_IMAGE_KFP_SDG_TAXONOMY",
        help="The image of the task that reads taxonomies and converts documents.",
        rich_help_panel=IMAGES,
        show_default=False,
    ),
]


def teacher_source(
    teacher: str | None, preflight: bool, key: Key | None, key_hosts: Sequence[str] | None
) -> TeacherSource:
    """Return what the options about the teacher come to.

    Args:
        teacher: ``inferenceservice:NAME``.
        preflight: Whether the teacher is to be checked.
        key: What the tasks show to its server; None for what goes with the teacher.
        key_hosts: Servers outside the cluster that may be shown a service account's token.

    Raises:
        typer.BadParameter: There is no such kind of teacher, or no such name or host, or there is
            no token to be shown to a host.
    """
    from kfp_sdg.compiler.teacher_source import TeacherKey, TeacherSource
    from kfp_sdg.teacher.token_hosts import token_host

    kind, _, name = (teacher or "").partition(":")
    if teacher is not None and kind.lower() != _SERVICE:
        raise typer.BadParameter(
            f"{teacher!r} is no teacher that a cluster could start; expected {_SERVICE}:NAME. A "
            "URL is asked for by the run form",
            param_hint="--teacher",
        )
    usual = Key.SECRET if teacher is None else Key.SERVICE_ACCOUNT
    shown = key or usual
    hosts = _each("--teacher-key-host", key_hosts, token_host)
    if hosts and shown is Key.SECRET:
        raise typer.BadParameter(
            "there is no service account's token to be shown; use it with --teacher-key "
            "service-account",
            param_hint="--teacher-key-host",
        )
    try:
        return TeacherSource(
            inference_service=None if teacher is None else name,
            preflight=preflight,
            key=TeacherKey(shown.value),
            key_hosts=hosts,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--teacher") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTexts:
    """The options about pods and images as they were typed; see each option's help."""

    cpu_request: Sequence[str] | None
    cpu_limit: Sequence[str] | None
    memory_request: Sequence[str] | None
    memory_limit: Sequence[str] | None
    toleration: Sequence[str] | None
    node_selector: Sequence[str] | None
    image_pull_secret: Sequence[str] | None
    pod_label: Sequence[str] | None
    pod_annotation: Sequence[str] | None
    pod_parameter: Sequence[PodField] | None
    retries: int
    allow_root: bool
    runtime_image: str | None
    taxonomy_image: str | None

    def parse(self) -> PodOptions:
        """Return what the options come to.

        Raises:
            typer.BadParameter: Kubernetes or KFP would refuse one of them.
        """
        from kfp_sdg.compiler.kubernetes_words import (
            annotation_value,
            image_reference,
            key_and_value,
            object_name,
        )
        from kfp_sdg.compiler.pods import PodOptions, PodParameter, Toleration

        def annotation(text: str) -> tuple[str, str]:
            return key_and_value(text, annotation_value)

        runtime = _each("--runtime-image", [self.runtime_image or ""], image_reference)
        taxonomy = _each("--taxonomy-image", [self.taxonomy_image or ""], image_reference)
        try:
            return PodOptions(
                resources=self._resources(),
                tolerations=_each("--toleration", self.toleration, Toleration.parse),
                node_selector=_once("--node-selector", self.node_selector, key_and_value),
                image_pull_secrets=_each(
                    "--image-pull-secret", self.image_pull_secret, object_name
                ),
                labels=_once("--pod-label", self.pod_label, key_and_value),
                annotations=_once("--pod-annotation", self.pod_annotation, annotation),
                retries=self.retries,
                run_as_non_root=not self.allow_root,
                runtime_image=next(iter(runtime), None),
                taxonomy_image=next(iter(taxonomy), None),
                parameters=tuple(PodParameter(field.value) for field in self.pod_parameter or ()),
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    def _resources(self) -> tuple[ResourceOverride, ...]:
        from kfp_sdg.compiler.resources import Resource, ResourceOverride

        typed = zip(
            Resource,
            (self.cpu_request, self.cpu_limit, self.memory_request, self.memory_limit),
            strict=True,
        )
        return tuple(
            override
            for resource, texts in typed
            for override in _each(f"--{resource}", texts, partial(ResourceOverride.parse, resource))
        )


def _each(
    option: str, texts: Sequence[str] | None, parse: Callable[[str], Parsed]
) -> tuple[Parsed, ...]:
    """Return what an option's texts mean, but for empty ones, which an environment may have."""
    try:
        return tuple(parse(text) for text in texts or () if text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _once(
    option: str, texts: Sequence[str] | None, parse: Callable[[str], tuple[str, str]]
) -> dict[str, str]:
    """Return what an option's texts mean, where each key may be given once."""
    pairs = _each(option, texts, parse)
    found = dict(pairs)
    for key, value in pairs:
        if found[key] != value:
            raise typer.BadParameter(
                f"{key!r} is given twice, as {value!r} and as {found[key]!r}", param_hint=option
            )
    return found
