"""The errors of a run, as InstructLab raises them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import BlockError, SdgError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping


class EmptyDatasetError(Exception):
    """Never raised; kept for those who import it."""


class PipelineConfigParserError(Exception):
    """A pipeline's file is wrong."""


class PipelineBlockError(Exception):
    """A block failed.

    Attributes:
        exception: What it failed of.
        block: The block; None where it could not be made, and where the engine ran it.
        block_name: Its name in the pipeline.
        block_type: Its type.
    """

    def __init__(
        self,
        exception: Exception,
        *,
        block: Any = None,
        block_name: str | None = None,
        block_type: str | None = None,
    ) -> None:
        """Keep what is known of the block; what is not given is taken from ``block``."""
        super().__init__(exception)
        self.exception = exception
        self.block = block
        self.block_name = block_name or getattr(block, "block_name", None)
        self.block_type = block_type or (type(block).__name__ if block is not None else None)

    def __str__(self) -> str:
        """Return the block and what it failed of."""
        return f"{type(self).__name__}({self.block_type}/{self.block_name}): {self.exception}"

    @property
    def exception_message(self) -> str:
        """What the block failed of, as text."""
        return str(self.exception)


def pipeline_error(
    error: SdgError, types: Mapping[str, str], *, block_name: str | None = None, is_setup: bool
) -> Exception:
    """Return the error of InstructLab's that stands for one of ours.

    Args:
        error: Ours.
        types: The types of the pipeline's blocks by their names.
        block_name: The block that was at work, where the error does not say.
        is_setup: Whether no block had begun to work.
    """
    from instructlab.sdg.blocks.block import BlockConfigParserError
    from instructlab.sdg.blocks.filterblock import FilterByValueBlockError

    if isinstance(error, SpecError):
        named = {problem.block for problem in error.problems if problem.block}
        if len(named) != 1:
            return PipelineConfigParserError(str(error))
        [block_name] = named
        return PipelineBlockError(error, block_name=block_name, block_type=types.get(block_name))
    if not isinstance(error, BlockError):
        block_type = types.get(block_name or "")
        return PipelineBlockError(error, block_name=block_name, block_type=block_type)
    block_name = error.block_name or block_name
    block_type = types.get(block_name or "", error.block_type)
    cause: Exception = error
    if isinstance(error.__cause__, Exception) and not isinstance(error.__cause__, SdgError):
        cause = error.__cause__
    elif is_setup and not isinstance(error, BlockConfigParserError):
        is_filter = block_type == "FilterByValueBlock"
        kind = FilterByValueBlockError if is_filter else BlockConfigParserError
        cause = kind(error.message, block_name=block_name, block_type=block_type)
    return PipelineBlockError(cause, block_name=block_name, block_type=block_type)
