"""The stub teacher's prefix cache: what vLLM's does with prompts, counted the way vLLM counts."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass
class StubPrefixCache:
    """Blocks of prompts, the ones used longest ago forgotten first.

    Attributes:
        blocks: How many blocks of 16 words it has room for.
        queried: Words that were looked up.
        hit: Words that were found.
    """

    blocks: int = 64
    queried: int = 0
    hit: int = 0
    _kept: OrderedDict[tuple[str, ...], None] = field(default_factory=OrderedDict)

    def read(self, prompt: str) -> None:
        """Take in a prompt; a block counts as found only where all before it were."""
        words = tuple(prompt.split())
        self.queried += len(words)
        found = True
        for end in range(16, len(words) + 1, 16):
            block = words[:end]
            found = found and block in self._kept
            self.hit += 16 * found
            self._kept[block] = None
            self._kept.move_to_end(block)
            if len(self._kept) > self.blocks:
                self._kept.popitem(last=False)

    def metrics(self) -> str:
        """Return the counters as vLLM's ``/metrics`` has them."""
        labels = '{engine="0",model_name="stub-model"}'
        return "".join(
            f"# TYPE vllm:prefix_cache_{name}_total counter\n"
            f"vllm:prefix_cache_{name}_total{labels} {float(value)}\n"
            for name, value in (("queries", self.queried), ("hits", self.hit))
        )
