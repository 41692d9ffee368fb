"""The typed, frozen form of a pipeline: what YAML becomes and everything else works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from kfp_sdg.errors import BlockError, Position, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

NodePath: TypeAlias = tuple[str | int, ...]
"""Where a node stands inside a document: ``("config", "output_cols", 0)``."""


@dataclass(frozen=True, slots=True)
class SourceMap:
    """The position of every node of a YAML document.

    Attributes:
        root: The position of the document itself.
        nodes: The position of each node by its path; a mapping's entry has the position of its key.
        written: How numbers and truth values are written, by path: ``010`` is the number 8.
    """

    root: Position
    nodes: Mapping[NodePath, Position] = field(default_factory=dict)
    written: Mapping[NodePath, str] = field(default_factory=dict)

    def at(self, *path: str | int) -> Position:
        """Return the position of a node, or of the nearest node around it that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.nodes:
                return self.nodes[path[:length]]
        return self.root


NOWHERE = SourceMap(Position("<python>"))
"""The source map of specs that were made in Python and have no file."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A YAML file that a block refers to: a prompt config, or a sample of SamplePopulatorBlock.

    Attributes:
        path: The path as the pipeline has it, which is the key blocks ask for it by.
        content: The file's mapping.
        source: The positions of its nodes.
    """

    path: str
    content: Mapping[str, Any]
    source: SourceMap = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One entry of a pipeline's ``blocks``.

    Attributes:
        name: The block's name, unique in its pipeline.
        type: The registered name of the block type.
        config: The block's own settings, JSON values, as written; but 2.0 is 2 where the block
            wants a whole number.
        drop_columns: Columns to drop from the block's output; those that do not exist are ignored.
        drop_duplicates: Columns of which no two output rows of the whole dataset may agree.
        source: The positions of the entry's nodes, paths relative to the entry. A block that was
            written with ``block_config`` has its positions under ``config`` all the same.
    """

    name: str
    type: str
    config: Mapping[str, Any] = field(default_factory=dict)
    drop_columns: tuple[str, ...] = ()
    drop_duplicates: tuple[str, ...] = ()
    source: SourceMap = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A pipeline: blocks in their order, with every file that they refer to.

    Blocks get this object as their ``pipe`` argument.

    Attributes:
        blocks: The blocks, in order.
        files: The files the blocks refer to, by the path as written in the block (for
            SamplePopulatorBlock with its post-fix: the path it loads, see ``post_fixed``).
        version: The format version, "1.0".
        auxiliary_instructions: Instructions of ``datamixing.auxiliary_instructions`` by the name
            of the dataset type they are for.
        config_path: The pipeline's file; "" for one that was made in Python.
        warnings: What is doubtful but not wrong.
        source: The positions of the document's nodes.
    """

    blocks: tuple[BlockSpec, ...]
    files: Mapping[str, ConfigFile] = field(default_factory=dict)
    version: str = "1.0"
    auxiliary_instructions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    config_path: str = ""
    warnings: tuple[Problem, ...] = ()
    source: SourceMap = field(default=NOWHERE, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The pipeline's name: its file's name without the ending, "pipeline" without a file."""
        return PurePath(self.config_path).stem or "pipeline"

    def file(self, path: str, *, block_name: str | None = None) -> ConfigFile:
        """Return a file that a block refers to.

        Args:
            path: The path as written in the block's config.
            block_name: The block that asks, for the error.

        Raises:
            BlockError: The pipeline was loaded without that file.
        """
        try:
            return self.files[path]
        except KeyError:
            known = ", ".join(sorted(self.files)) or "none"
            raise BlockError(
                f"config file {path!r} is not part of the pipeline (it has: {known})",
                block_name=block_name,
            ) from None
