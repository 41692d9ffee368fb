"""A block of one's own, written as for InstructLab: rows come and go as a ``Dataset``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks import Block, BlockRegistry

if TYPE_CHECKING:
    from datasets import Dataset


@BlockRegistry.register("WordCountBlock")
class WordCountBlock(Block):
    """Count the words of a text column.

    Args:
        input_col: The column with the text.
        output_col: The new column with the number of words.
    """

    def __init__(
        self, ctx: Any, pipe: Any, block_name: str, *, input_col: str, output_col: str
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        self.input_col = input_col
        self.output_col = output_col

    def generate(self, samples: Dataset) -> Dataset:
        """Return the rows with the new column."""
        counts = [len(text.split()) for text in samples[self.input_col]]
        return samples.add_column(self.output_col, counts)
