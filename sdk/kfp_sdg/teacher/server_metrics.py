"""What a server tells about itself in Prometheus' text format: how much its prefix cache saved.

vLLM keeps the keys and values of prompts that it has read. A prompt that begins like an earlier one
does not have to be read again as far as they agree, which is why requests with equal beginnings are
sent one after another. The server counts, in tokens, what it looked up and what it found:
``vllm:prefix_cache_queries_total`` and ``vllm:prefix_cache_hits_total`` (vLLM, "Production
Metrics").
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.teacher.transport import NoReply

if TYPE_CHECKING:
    from kfp_sdg.teacher.transport import Transport

_PATIENCE = 2.0
"""Seconds; the run does not need to know."""

_SAMPLE = re.compile(
    r"^vllm:prefix_cache_(queries|hits)(?:_total)?(?:\{[^}]*\})? ([0-9.eE+]+)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class PrefixCache:
    """What a server's prefix cache was asked for and had, since the server started.

    Attributes:
        queried: Prompt tokens that were looked up.
        hit: Those of them that were found, so that the server did not read them again.
    """

    queried: int
    hit: int

    def __add__(self, other: PrefixCache) -> PrefixCache:
        """Return the counters of two servers together."""
        return PrefixCache(self.queried + other.queried, self.hit + other.hit)

    def __sub__(self, earlier: PrefixCache) -> PrefixCache:
        """Return what came after an earlier moment; everything where the server was restarted."""
        if self.queried < earlier.queried:
            return self
        return PrefixCache(self.queried - earlier.queried, max(self.hit - earlier.hit, 0))


async def prefix_cache(transport: Transport, url: str) -> PrefixCache | None:
    """Ask a server for its prefix cache's counters; whatever goes wrong, there are none.

    Args:
        transport: The way to the server.
        url: Its base URL; ``/metrics`` stands beside the ``/v1`` at its end, not below.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            reply = await transport.get(f"{url.removesuffix('/v1')}/metrics")
    except (NoReply, TimeoutError):
        return None
    return read_prefix_cache(reply.body.decode(errors="replace")) if reply.status == 200 else None


def read_prefix_cache(text: str) -> PrefixCache | None:
    """Read the prefix cache's counters from the body of ``/metrics``.

    Args:
        text: The body; the counters of several engines and models are added up.

    Returns:
        The counters; None where the server has none (it is no vLLM, or has the cache off).
    """
    sums = {"queries": 0.0, "hits": 0.0}
    samples = _SAMPLE.findall(text)
    for name, value in samples:
        sums[name] += float(value)
    return PrefixCache(int(sums["queries"]), int(sums["hits"])) if samples else None
