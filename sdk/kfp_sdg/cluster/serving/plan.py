"""From what somebody wants of a teacher to a teacher: GPUs, context, and what is doubtful."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.cluster.serving.adapters import Adapter, check_uri
from kfp_sdg.cluster.serving.estimate import (
    CPU_OVERHEAD_GIB,
    GIB,
    GPUS_OF_A_NODE,
    SEQUENCES,
    Estimate,
    Need,
    WeightType,
    checked_estimate,
    fewest_gpus,
    token_bytes,
)
from kfp_sdg.cluster.serving.models import ModelShape, known_model, unknown_model
from kfp_sdg.cluster.serving.runtime import VLLM_USER
from kfp_sdg.cluster.serving.teacher import Autoscaling, Teacher, size_of, size_without_gpus
from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT = 8192
"""Tokens that a request and its answer may have, where nobody says and the model has as many."""
_CPU_SEQUENCES = 4
_LONGEST_NAME = 53
"""OpenShift AI's limit; KServe itself makes longer names of it for what belongs to a service."""
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody wants of a teacher; None is "find out".

    Attributes:
        model: The model's name on the Hugging Face Hub, or what it is to be called.
        name: The service's name; made of the model's where None.
        uri: Where KServe finds it; the Hub where None.
        gpus: GPUs of each replica; 0: on CPUs; the fewest that do where None.
        gpu_memory: GiB of a GPU.
        context: The context length; 8,192 or what the model has, where None.
        sequences: Requests of full length that are to fit at a time.
        weights: What weights are kept as.
        adapters: The adapters to serve with it.
        shape: The model's numbers, where it is not a known one.
        autoscaling: Whether and how to scale.
        stopped: Whether it waits for a pipeline to start it.
        user: The user that its pods run as; None: nobody says.
    """

    model: str
    name: str | None = None
    uri: str | None = None
    gpus: int | None = None
    gpu_memory: float = 80.0
    context: int | None = None
    sequences: int | None = None
    weights: WeightType = WeightType.BFLOAT16
    adapters: tuple[Adapter, ...] = ()
    shape: ModelShape | None = None
    autoscaling: Autoscaling | None = None
    stopped: bool = True
    user: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A teacher, why it is as it is, and what somebody should look at.

    Attributes:
        teacher: The teacher.
        estimate: What its GPUs hold; None without GPUs, or where the model's numbers are not known.
        doubts: Sentences about what the estimate and the manifests cannot know.
    """

    teacher: Teacher
    estimate: Estimate | None
    doubts: tuple[str, ...]


def plan_teacher(wishes: Wishes) -> Plan:
    """Return the teacher that somebody wants.

    Raises:
        SpecError: The model is unknown and its numbers are needed, it does not fit, GPUs cannot
            share it, or a name or place is wrong.
    """
    shape = wishes.shape or known_model(wishes.model)
    if shape is None and not wishes.gpus:
        raise unknown_model(wishes.model)
    model = shape.model if shape else wishes.model
    name = _service_name(wishes, shape, model)
    uri = wishes.uri or _hub_uri(model)
    check_uri(uri, "--storage-uri")
    _check_adapters(wishes.adapters, name)
    context = _context(wishes, shape)
    found = _estimate(wishes, shape, context)
    gpus = found.gpus if found else wishes.gpus or 0
    cache = _cpu_cache(shape, wishes, context) if shape and not gpus else 0
    size = size_of(gpus)
    if shape and not gpus:
        weights = shape.parameters * wishes.weights.bytes / GIB
        size = size_without_gpus(weights + cache + CPU_OVERHEAD_GIB)
    teacher = Teacher(
        name=name,
        model=model,
        uri=uri,
        gpus=gpus,
        context=context,
        size=size,
        weights=wishes.weights,
        adapters=wishes.adapters,
        cpu_cache=cache,
        stopped=wishes.stopped,
        autoscaling=wishes.autoscaling,
        user=wishes.user,
    )
    return Plan(teacher, found, tuple(_doubts(wishes, teacher, shape, found)))


def _estimate(wishes: Wishes, shape: ModelShape | None, context: int) -> Estimate | None:
    """Return what the GPUs hold, after checking that they can."""
    if shape is None or wishes.gpus == 0:
        return None
    need = Need(
        shape=shape,
        weights=wishes.weights,
        context=context,
        sequences=wishes.sequences or SEQUENCES,
        adapters=len(wishes.adapters),
        gpu_memory=wishes.gpu_memory,
    )
    return checked_estimate(need, wishes.gpus) if wishes.gpus else fewest_gpus(need)


def _cpu_cache(shape: ModelShape, wishes: Wishes, context: int) -> int:
    """Return the whole GiB of KV cache of a server on CPUs, at least one."""
    tokens = context * (wishes.sequences or _CPU_SEQUENCES)
    return max(1, -(-tokens * token_bytes(shape) // GIB))


def _context(wishes: Wishes, shape: ModelShape | None) -> int:
    """Return the context length: what is wanted, where the model has as much."""
    most = shape.context if shape else 0
    if wishes.context is None:
        return min(CONTEXT, most or CONTEXT)
    if most and wishes.context > most:
        raise SpecError(
            Problem(
                f"{wishes.model} looks at {most:,} tokens at most, not {wishes.context:,}",
                Position("--max-model-len"),
                expected=f"at most {most}",
            )
        )
    return wishes.context


def _service_name(wishes: Wishes, shape: ModelShape | None, model: str) -> str:
    """Return the service's name, checked as KServe and OpenShift AI do."""
    if wishes.name is None:
        if shape and shape.service:
            return shape.service
        made = re.sub(r"[^a-z0-9]+", "-", model.rpartition("/")[2].lower()).strip("-")
        made = made if made[:1].isalpha() else f"model-{made}"
        return made[:_LONGEST_NAME].strip("-")
    if not _NAME.fullmatch(wishes.name) or len(wishes.name) > _LONGEST_NAME:
        raise SpecError(
            Problem(
                f"{wishes.name!r} is no name of an InferenceService",
                Position("--name"),
                expected="a lower-case letter, then letters, digits and hyphens, at most 53",
            )
        )
    return wishes.name


def _hub_uri(model: str) -> str:
    """Return where a model is on the Hub.

    Raises:
        SpecError: Its name has no owner, so it is not on the Hub.
    """
    if re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        return f"hf://{model}"
    raise SpecError(
        Problem(
            f"{model!r} is no name on the Hugging Face Hub, so nobody knows where it is",
            Position("--model"),
            expected="OWNER/NAME, or --storage-uri",
        )
    )


def _check_adapters(adapters: tuple[Adapter, ...], name: str) -> None:
    """Refuse adapters that nobody could ask for."""
    names = [name]
    for adapter in adapters:
        if adapter.name in names:
            whose = "the service" if adapter.name == name else "another adapter"
            raise SpecError(
                Problem(
                    f"the adapter {adapter.name!r} is called like {whose}",
                    Position("--adapter"),
                    expected="a name of its own",
                )
            )
        names.append(adapter.name)


def _doubts(
    wishes: Wishes, teacher: Teacher, shape: ModelShape | None, found: Estimate | None
) -> Iterator[str]:
    """Yield what somebody should look at before trusting this."""
    if shape is None:
        yield (
            f"The numbers of {teacher.model} are not known here: whether {teacher.gpus} GPUs are "
            "enough and can share it is not checked. With --config or --parameters it is."
        )
    elif not shape.heads:
        yield (
            "How many attention heads the model has is not known (--heads): the number of GPUs has "
            "to divide them, else vLLM does not start."
        )
    if teacher.gpus > GPUS_OF_A_NODE:
        yield (
            f"A replica is one pod, so {teacher.gpus} GPUs have to be in one node; most nodes have "
            f"{GPUS_OF_A_NODE} at most."
        )
    if found and not found.fits:
        room = found.cache_tokens // found.need.context
        yield (
            f"{room} requests of full length fit at a time, not {found.need.sequences}: the others "
            "wait in line, and generation is slower."
        )
    if wishes.weights is WeightType.FP8:
        yield (
            "vLLM makes fp8 of the weights while it loads them, so the 16-bit ones still have to "
            "be fetched. On GPUs older than Hopper and Ada it saves memory, not time."
        )
    elif wishes.weights in (WeightType.INT8, WeightType.INT4):
        yield (
            f"vLLM makes no {wishes.weights} weights: --storage-uri has to lead to a model that "
            "was quantized before (AWQ, GPTQ, compressed-tensors)."
        )
    if teacher.uri.startswith("hf://") and shape:
        size = shape.parameters * 2 / 1e9
        yield (
            f"Each start fetches about {size:,.0f} GB from the Hugging Face Hub onto the node's "
            "disk, twice that where the repository has its weights in two formats. A modelcar "
            "(oci://) stays on the node. Gated models need a token."
        )
    if teacher.adapters:
        yield (
            "What adapters take is an allowance for rank 64; with a larger rank (--max-lora-rank "
            "in the manifest) they take more."
        )
    if not teacher.gpus:
        yield (
            "Without a GPU this is for demonstrations: some dozens of tokens a second, with vLLM's "
            "image for CPUs (x86 with AVX2, or arm64)."
        )
    if teacher.user is None:
        yield (
            "vLLM's images name no user: OpenShift gives the pod one, any other cluster needs "
            f"--run-as-user {VLLM_USER}, which OpenShift refuses."
        )
