"""The base of custom blocks that were written for InstructLab."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any

from jinja2 import UndefinedError

from instructlab.sdg._spec import find_file
from instructlab.sdg.blocks._batches import in_batches
from kfp_sdg.blocks import Block as KfpBlock
from kfp_sdg.errors import BlockError
from kfp_sdg.prompts import PromptError
from kfp_sdg.spec import ConfigFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset


SCALED_BY_NOTHING = (
    'gen_kwargs["n"] is "scaled", but num_instructions_to_generate was not set in the '
    "PipelineContext; set it, or give n a number"
)


class SettingError(BlockError):
    """Base of InstructLab's errors about settings; a bare text is all that it says."""

    def __str__(self) -> str:
        """Return the message, after the block's name where that is known."""
        return super().__str__() if self.block_name else str(self.message)


class BlockConfigParserError(SettingError):
    """A block's settings are wrong."""


class Block(KfpBlock, ABC):
    """Base of custom blocks: ``generate`` turns a ``Dataset`` into a ``Dataset``.

    Attributes:
        ctx: The run's settings.
        pipe: The pipeline the block is part of.
        block_name: The block's name in the pipeline.
    """

    def generate_all(self, samples: Dataset) -> Dataset:
        """Call ``generate`` with all rows of a run, a batch at a time."""
        import datasets

        made = in_batches(
            self, len(samples), lambda block, batch: block.generate(samples.select(batch))
        )
        return datasets.concatenate_datasets(made) if len(made) > 1 else made[0]

    def config_file(self, path: str) -> ConfigFile:
        """Return a file, through ``_load_config`` where a subclass has its own.

        Args:
            path: Relative to the pipeline's folder, or absolute.

        Raises:
            BlockError: There is no such file.
        """
        if type(self)._load_config is not _LOAD_CONFIG:
            return ConfigFile(path, self._load_config(path))
        return self._found(path)

    def _load_config(self, config_path: str) -> dict[str, Any]:
        """Return the mapping in a config file.

        Args:
            config_path: Relative to the pipeline's folder, or absolute.
        """
        return dict(self._found(config_path).content)

    def _found(self, path: str) -> ConfigFile:
        if hasattr(type(self.pipe), "file"):
            return self.pipe.file(path, block_name=self.block_name)
        return find_file(path, str(self.pipe.config_path), self.block_name)

    def _validate(self, prompt_template: Any, input_dict: Mapping[str, Any]) -> bool:
        """Tell whether a row has everything that a template asks for.

        Args:
            prompt_template: A template of ``PromptRegistry.template_from_string``, or of Jinja's.
            input_dict: The row.
        """
        try:
            prompt_template.render(input_dict)
        except (PromptError, UndefinedError):
            return False
        return True


_LOAD_CONFIG = Block._load_config
