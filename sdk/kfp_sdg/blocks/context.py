"""What a run tells its blocks: the teacher, its model, and the run's own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.teacher import TeacherPool


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """A run's settings, the same for all of its blocks.

    Attributes:
        teachers: The model servers; None for pipelines that ask no model.
        model_family: The chat format to use, over the blocks' own; None lets each block say. A
            block whose own model has an endpoint, and is not the run's, says for itself.
        model_id: The model to ask, over the blocks' own; None lets each block say.
        num_instructions_to_generate: What ``n: scaled`` stands for.
        max_num_tokens: ``max_tokens`` of blocks that do not set their own.
        constrain: Send a grammar with each request so that answers parse, unless a block says
            otherwise in its ``gen_kwargs``.
        max_rejected: How many rows a block may reject before the run is stopped: a share of the
            rows it works on ("5%", but never fewer than 20 rows) or a number ("50"); "100%" never
            stops.
        part: Which part of a larger run this is ("knowledge"); "" for a whole one. Blocks of the
            same name in two parts do not share answers in the journal.
    """

    teachers: TeacherPool | None = None
    model_family: str | None = None
    model_id: str | None = None
    num_instructions_to_generate: int | None = None
    max_num_tokens: int = 4096
    constrain: bool = False
    max_rejected: str = "5%"
    part: str = ""

    def scope(self, block_name: str) -> str:
        """Return who asks, for the requests of a block."""
        return f"{self.part}/{block_name}" if self.part else block_name
