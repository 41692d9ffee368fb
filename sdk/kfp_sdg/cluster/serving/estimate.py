"""How many GPUs a teacher needs: weights, KV cache, and what a server needs beside them.

A GPU of ``g`` that share a model (tensor parallelism) holds

    parameters × bytes of a weight / g
    + tokens × layers × 2 × max(1, kv_heads / g) × head_dim × bytes of a cache entry
    + OVERHEAD_GIB, + COLLECTIVES_GIB where g > 1, + ADAPTER_GIB / g for each LoRA adapter

and that has to be at most ``gpu_memory × gpu_memory_utilization``. ``tokens`` is the context length
times the requests of full length that are to fit at a time. vLLM's cache is paged, so that shorter
requests share that room: where 16 of 8,192 tokens fit, 64 of 2,048 do.

Sources:
    - The bytes of a token in the cache, keys and values of every layer: Kwon et al., "Efficient
      Memory Management for Large Language Model Serving with PagedAttention" (SOSP 2023), section
      3; in vLLM ``AttentionSpec.page_size_bytes`` (vllm/v1/kv_cache_interface.py).
    - The cache gets what is left of the utilization's share of a GPU after weights, the peak of
      activations and all else: ``determine_available_memory`` (vllm/v1/worker/gpu_worker.py).
    - ``g`` has to divide the attention heads ("Total number of attention heads … must be divisible
      by tensor parallel size", vllm/config). Heads of keys and values are cut among the GPUs, or
      repeated where there are more GPUs than such heads (``get_num_kv_heads``).
    - The allowances are this project's rules of thumb, not formulas: CUDA's context, graphs and the
      activations of a batch of 8,192 tokens; NCCL's buffers; an adapter of rank 64 for a 7B model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from kfp_sdg.cluster.serving.models import ModelShape

GIB = 2**30
UTILIZATION = 0.92
"""The share of a GPU's memory that vLLM takes."""
GPUS_OF_A_NODE = 8
SEQUENCES = 16
"""Requests of full length that are to fit at a time, where nobody says."""
OVERHEAD_GIB = 3.0
COLLECTIVES_GIB = 1.0
ADAPTER_GIB = 0.5
CPU_OVERHEAD_GIB = 3.5
"""Of vLLM's processes without weights and cache; measured with vLLM 0.32 on CPUs: 2.3 to 3."""
CACHE_BYTES = 2
"""Bytes of an entry in the KV cache: 16 bits, whatever the weights have."""


class WeightType(StrEnum):
    """What a weight is kept as."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def bytes(self) -> float:
        """Return the bytes of a weight; int4 with a 16-bit scale and zero for each group of 128."""
        return _BYTES[self]


_BYTES = {
    WeightType.BFLOAT16: 2.0,
    WeightType.FLOAT16: 2.0,
    WeightType.FP8: 1.0,
    WeightType.INT8: 1.0,
    WeightType.INT4: 0.53,
}


@dataclass(frozen=True, slots=True)
class Need:
    """What is asked of a teacher.

    Attributes:
        shape: The model.
        weights: What its weights are kept as.
        context: The context length in tokens (``--max-model-len``).
        sequences: Requests of full length that are to fit at a time.
        adapters: How many LoRA adapters are served with it.
        gpu_memory: A GPU's memory in GiB.
    """

    shape: ModelShape
    weights: WeightType
    context: int
    sequences: int = SEQUENCES
    adapters: int = 0
    gpu_memory: float = 80.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a GPU of a teacher holds, in GiB.

    Attributes:
        need: What was asked for.
        gpus: The GPUs.
        weights: The weights on each GPU.
        cache: The KV cache that is asked for, on each GPU.
        overhead: What the server takes beside them, on each GPU.
    """

    need: Need
    gpus: int
    weights: float
    cache: float
    overhead: float

    @property
    def total(self) -> float:
        """Return what is needed of each GPU."""
        return self.weights + self.cache + self.overhead

    @property
    def usable(self) -> float:
        """Return what vLLM may take of each GPU."""
        return self.need.gpu_memory * UTILIZATION

    @property
    def fits(self) -> bool:
        """Tell whether everything that is asked for fits."""
        return self.total <= self.usable

    @property
    def cache_tokens(self) -> int:
        """Return the tokens whose cache fits, 0 where not even the weights do."""
        left = self.usable - self.weights - self.overhead
        return max(0, int(left * GIB / token_bytes(self.need.shape, self.gpus)))


def token_bytes(shape: ModelShape, gpus: int = 1) -> int:
    """Return the bytes of a token in the KV cache of one GPU."""
    heads = max(1, math.ceil(shape.kv_heads / gpus))
    return 2 * shape.layers * heads * shape.head_dim * CACHE_BYTES


def estimate(need: Need, gpus: int) -> Estimate:
    """Return what each of a number of GPUs holds; nothing is refused here."""
    collectives = COLLECTIVES_GIB if gpus > 1 else 0.0
    return Estimate(
        need,
        gpus,
        weights=need.shape.parameters * need.weights.bytes / gpus / GIB,
        cache=need.context * need.sequences * token_bytes(need.shape, gpus) / GIB,
        overhead=OVERHEAD_GIB + collectives + need.adapters * ADAPTER_GIB / gpus,
    )


def fewest_gpus(need: Need) -> Estimate:
    """Return the estimate for the fewest GPUs of one node that a teacher fits on.

    Raises:
        SpecError: It fits on none of the numbers of GPUs that the model can be cut for.
    """
    choices = [gpus for gpus in _POWERS if can_be_cut(need.shape, gpus)]
    estimates = [estimate(need, gpus) for gpus in choices]
    for found in estimates:
        if found.fits:
            return found
    last = estimates[-1]
    raise SpecError(
        Problem(
            f"{need.shape.model} does not fit on {_gpus_phrase(last)}, the most of one node that "
            f"can share it: of each {last.total:,.1f} GiB are needed and {last.usable:,.1f} there",
            Position("--gpu-memory"),
            expected="smaller weights (--dtype fp8), a context shorter than "
            f"{need.context:,} tokens (--max-model-len), fewer requests at a time than "
            f"{need.sequences} (--sequences), or larger GPUs (--gpu-memory)",
            code="does-not-fit",
        )
    )


def checked_estimate(need: Need, gpus: int) -> Estimate:
    """Return the estimate for a number of GPUs that somebody wants.

    Returns:
        One that may not have room for all the requests that are asked for, but for one at least.

    Raises:
        SpecError: The model cannot be cut for so many, or the server would not start on them.
    """
    if not can_be_cut(need.shape, gpus):
        allowed = [n for n in range(1, GPUS_OF_A_NODE + 1) if can_be_cut(need.shape, n)]
        raise SpecError(
            Problem(
                f"{gpus} GPUs cannot share the {need.shape.heads} attention heads and "
                f"{need.shape.kv_heads} key-value heads of {need.shape.model}",
                Position("--gpus"),
                expected=f"one of {', '.join(map(str, allowed))}",
                code="gpus-do-not-divide",
            )
        )
    found = estimate(need, gpus)
    if found.cache_tokens >= need.context:
        return found
    room, shorter = "not even its weights fit", ""
    if found.cache_tokens:
        room = (
            f"beside its weights there is room for {found.cache_tokens:,} tokens, and one request "
            f"may have {need.context:,}"
        )
        shorter = f"--max-model-len {found.cache_tokens}, "
    raise SpecError(
        Problem(
            f"{need.shape.model} in {need.weights} does not fit on {_gpus_phrase(found)}: {room}",
            Position("--gpus"),
            expected=f"{_enough(need)} GPUs, {shorter}smaller weights (--dtype fp8), or a larger "
            "--gpu-memory",
            code="does-not-fit",
        )
    )


def can_be_cut(shape: ModelShape, gpus: int) -> bool:
    """Tell whether a model's heads can be shared among GPUs; heads that are not known can."""
    if shape.heads % gpus:
        return False
    return shape.kv_heads % gpus == 0 or gpus % shape.kv_heads == 0


_POWERS = (1, 2, 4, 8)
"""Numbers of GPUs that are proposed: what nodes have."""


def _enough(need: Need) -> str:
    """Return how many GPUs would do, in words."""
    try:
        return str(fewest_gpus(need).gpus)
    except SpecError:
        return "more"


def _gpus_phrase(found: Estimate) -> str:
    """Return "2 GPUs of 80 GiB"."""
    noun = "GPU" if found.gpus == 1 else "GPUs"
    return f"{found.gpus} {noun} of {found.need.gpu_memory:g} GiB"


def estimate_lines(found: Estimate) -> list[str]:
    """Return an estimate for people, a line for each part and a sum."""
    need, shape = found.need, found.need.shape
    each = "on it" if found.gpus == 1 else "on each"
    per_token = token_bytes(shape)
    weights = (
        f"{shape.parameters / 1e9:.3g}B parameters × {need.weights.bytes:g} bytes ({need.weights})"
    )
    cache = f"{need.sequences} requests × {need.context:,} tokens × {per_token / 1024:,.0f} KiB"
    adapters = f", {need.adapters} adapters" if need.adapters else ""
    rows = [
        ("weights", found.weights, weights),
        ("KV cache", found.cache, cache),
        ("beside", found.overhead, f"CUDA, graphs, activations{adapters} (an allowance)"),
        (
            "needed",
            found.total,
            f"of {found.usable:,.1f} GiB that vLLM may take ({UTILIZATION:.0%})",
        ),
    ]
    full = found.cache_tokens // need.context
    return [
        f"{shape.model} on {_gpus_phrase(found)}; in GiB {each}:",
        *(f"  {name:<9}{size:>7,.1f}  {what}" for name, size, what in rows),
        f"  Room for {found.cache_tokens:,} tokens: {full} requests of full length at a time.",
    ]
