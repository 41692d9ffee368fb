"""Pipelines as InstructLab has them, run by the kfp-sdg engine."""

from __future__ import annotations

import copy
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructlab.sdg._context import PipelineContext, connected
from instructlab.sdg._errors import (
    EmptyDatasetError,
    PipelineBlockError,
    PipelineConfigParserError,
    pipeline_error,
)
from instructlab.sdg._spec import find_file, spec_of
from instructlab.sdg._watch import RunLog
from instructlab.sdg.blocks.block import SCALED_BY_NOTHING, BlockConfigParserError
from instructlab.sdg.checkpointing import RunCheckpoint
from instructlab.sdg.utils import GenerateException
from instructlab.sdg.utils.models import get_model_family
from kfp_sdg.blocks.asking import AskingBlock
from kfp_sdg.blocks.catalog import block_class
from kfp_sdg.errors import BlockError, SdgError, TeacherError
from kfp_sdg.spec.scaling import is_scaled

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pyarrow as pa
    from datasets import Dataset

    from instructlab.sdg._spec import RunSpec
    from kfp_sdg.engine import RunResult
    from kfp_sdg.spec import ConfigFile

logger = logging.getLogger(__name__)

SIMPLE_PIPELINES_PACKAGE = "instructlab.sdg.pipelines.simple"
FULL_PIPELINES_PACKAGE = "instructlab.sdg.pipelines.full"
EVAL_PIPELINES_PKG = "instructlab.sdg.pipelines.eval"
LLAMA_PIPELINES_PKG = "instructlab.sdg.pipelines.llama"

_NEWEST = (1, 0)
"""The newest version of the format that is understood."""


class Pipeline:
    """A list of blocks that rows go through.

    Attributes:
        ctx: The run's settings.
        config_path: The pipeline's file, whose folder paths in the blocks are relative to.
        chained_blocks: The blocks' entries, each with ``name``, ``type`` and ``config``, and where
            wanted ``drop_columns`` and ``drop_duplicates``.
        auxiliary_inst: Instructions for data mixing, by the kind of row they are for.
        outcome: What came of the last run: its rows, the rejected rows with their reasons, and the
            books of every block. None before one.
    """

    outcome: RunResult | None = None

    def __init__(
        self,
        ctx: PipelineContext,
        config_path: str,
        chained_blocks: list[dict[str, Any]],
        auxiliary_inst: dict[str, list[str]] | None = None,
    ) -> None:
        """Keep the parts; nothing is checked before ``generate``."""
        self.ctx = ctx
        self.config_path = str(config_path)
        self.chained_blocks = chained_blocks
        self.auxiliary_inst = auxiliary_inst
        self._as_in_file: list[dict[str, Any]] | None = None

    @classmethod
    def from_file(cls, ctx: PipelineContext, pipeline_yaml: str | os.PathLike[str]) -> Pipeline:
        """Return the pipeline in a file.

        Args:
            ctx: The run's settings.
            pipeline_yaml: The file. A relative path such as ``pipelines/full/knowledge.yaml`` is
                looked for among the pipelines that ship, then in the working folder.

        Raises:
            PipelineConfigParserError: It is of a future version, or has no blocks.
            OSError: It cannot be read.
        """
        path = _pipeline_file(Path(pipeline_yaml))
        blocks, auxiliary = _parse_pipeline_config_file(path)
        pipeline = cls(ctx, str(path), blocks, auxiliary)
        pipeline._as_in_file = copy.deepcopy(blocks)
        return pipeline

    def generate(self, dataset: Dataset, checkpoint_name: str | None = None) -> Dataset:
        """Let rows through the blocks.

        Args:
            dataset: The rows.
            checkpoint_name: The folder in ``ctx.checkpoint_dir`` that is this run's.

        Returns:
            The rows that came out. What was rejected is told in a warning and kept in ``outcome``.

        Raises:
            PipelineBlockError: A block cannot be set up or cannot do its work.
            PipelineConfigParserError: The pipeline's file is wrong.
        """
        from kfp_sdg.blocks.dataset import from_dataset, to_dataset

        spec = self._spec()
        return to_dataset(self._run(spec, from_dataset(dataset), checkpoint_name))

    def generate_table(self, rows: pa.Table, checkpoint_name: str | None = None) -> pa.Table:
        """Do what ``generate`` does with Arrow tables."""
        return self._run(self._spec(), rows, checkpoint_name)

    def _run(self, spec: RunSpec, rows: pa.Table, checkpoint_name: str | None) -> pa.Table:
        from kfp_sdg.engine import run

        checkpoint = RunCheckpoint.of(self.ctx.checkpoint_dir, checkpoint_name)
        missing, kept = checkpoint.split(rows, spec)
        if kept is not None and not missing.num_rows:
            return kept
        log = RunLog()
        try:
            with connected(self.ctx, checkpoint.journal) as context:
                self.outcome = run(spec, missing, context, observer=log)
        except SdgError as error:
            made = pipeline_error(
                error,
                self._types,
                block_name=log.stopped_in or _first_asking(spec),
                is_setup=not log.has_started,
            )
            raise made from getattr(made, "exception", error)
        _require_answers(self.outcome)
        checkpoint.write(self.outcome.rows)
        return checkpoint.joined(self.outcome.rows, kept)

    def file(self, path: str, *, block_name: str | None = None) -> ConfigFile:
        """Return a file that a block refers to, for blocks that are made by hand.

        Args:
            path: Relative to the pipeline's folder, or absolute.
            block_name: The block that asks, for the error.

        Raises:
            BlockError: There is no such file.
        """
        return find_file(path, self.config_path, block_name)

    def _spec(self) -> RunSpec:
        """Return the pipeline for the engine, once the blocks' entries have been looked at.

        Raises:
            PipelineBlockError: An entry is wrong.
            PipelineConfigParserError: The file is.
        """
        for entry in self.chained_blocks:
            try:
                _check_entry(entry, self.ctx)
            except Exception as error:
                raise PipelineBlockError(
                    error, block_name=entry.get("name"), block_type=entry.get("type")
                ) from error
        try:
            return spec_of(self, unchanged=self.chained_blocks == self._as_in_file)
        except SdgError as error:
            made = pipeline_error(error, self._types, is_setup=True)
            raise made from getattr(made, "exception", error)

    @property
    def _types(self) -> dict[str, str]:
        return {entry.get("name", ""): entry.get("type", "") for entry in self.chained_blocks}


def _first_asking(spec: RunSpec) -> str | None:
    """Return the name of the first block that asks the teacher, whose fault an error may be."""
    asking = (b.name for b in spec.blocks if issubclass(block_class(b.type), AskingBlock))
    return next(asking, None)


def _require_answers(outcome: RunResult) -> None:
    """See to it that a block whose every request failed is an error, however few they were.

    Raises:
        PipelineBlockError: There is one.
    """
    for entry in outcome.history:
        failed = entry.rejected_by_reason.get("teacher", 0)
        if entry.rows_in and failed == entry.rows_in + entry.added:
            told = outcome.rejected[entry.block]["rejected_message"][0].as_py()
            raise PipelineBlockError(
                TeacherError(f"every request failed; the first: {told}"),
                block_name=entry.block,
                block_type=entry.type,
            )


def _check_entry(entry: Mapping[str, Any], ctx: PipelineContext) -> None:
    """Look for what InstructLab has exceptions of its own for.

    Raises:
        KeyError: The entry lacks a key.
        PipelineConfigParserError: There is no such block type.
        BlockConfigParserError: ``n: scaled`` stands for nothing.
        GenerateException: There is no such model family.
    """
    name, kind, config = entry["name"], entry["type"], entry["config"]
    _lookup_block_type(kind)
    if not isinstance(config, dict):
        return
    gen_kwargs = config.get("gen_kwargs")
    n = gen_kwargs.get("n") if isinstance(gen_kwargs, dict) else None
    if is_scaled(n) and not ctx.num_instructions_to_generate:
        raise BlockConfigParserError(SCALED_BY_NOTHING, block_name=name)
    if "config_path" in config or "config_paths" in config:
        get_model_family(ctx.model_family or config.get("model_family"), None)


def _lookup_block_type(block_type: str) -> type:
    """Return the class of a block type.

    Raises:
        PipelineConfigParserError: There is no such type.
    """
    try:
        return block_class(block_type)
    except BlockError as error:
        raise PipelineConfigParserError(error.message) from error


def _pipeline_file(path: Path) -> Path:
    """Return a pipeline's file; a relative one may be among those that ship."""
    if path.is_absolute():
        return path
    from kfp_sdg.pipelines import SHIPPED_FOLDER

    parts = path.parts[1:] if path.parts[:1] == ("pipelines",) else path.parts
    shipped: Path = SHIPPED_FOLDER.joinpath("instructlab", *parts)
    if shipped.is_file():
        return shipped
    return path.absolute()


def _parse_pipeline_config_file(
    pipeline_yaml: str | os.PathLike[str],
) -> tuple[list[dict[str, Any]], dict[str, list[str]] | None]:
    """Return the blocks and the auxiliary instructions of a pipeline's file.

    Raises:
        PipelineConfigParserError: It is of a future version, or has no blocks.
        OSError: It cannot be read.
    """
    import yaml

    with open(pipeline_yaml, encoding="utf-8") as file:
        try:
            content = yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise PipelineConfigParserError(f"{pipeline_yaml}: {error}") from error
    if not isinstance(content, dict):
        raise PipelineConfigParserError(f"{pipeline_yaml}: expected version and blocks")
    told = content["version"]
    version = re.fullmatch(r"(\d+)\.(\d+)", told) if isinstance(told, str) else None
    if version is None:
        raise PipelineConfigParserError(
            f'{pipeline_yaml}: version is {told!r}; expected the text "1.0", in quotes'
        )
    major, minor = int(version[1]), int(version[2])
    if major > _NEWEST[0]:
        raise PipelineConfigParserError(
            f"{pipeline_yaml}: version {version[0]} of the format is newer than 1.0, the newest "
            "known here"
        )
    if minor > _NEWEST[1]:
        logger.warning(
            "%s: version %s of the format is newer than 1.0; what is new in it has no effect",
            pipeline_yaml,
            version[0],
        )
    if "blocks" not in content:
        raise PipelineConfigParserError(f"{pipeline_yaml}: the pipeline has no 'blocks'")
    auxiliary = (content.get("datamixing") or {}).get("auxiliary_instructions")
    return content["blocks"], auxiliary


__all__ = [
    "EVAL_PIPELINES_PKG",
    "FULL_PIPELINES_PACKAGE",
    "LLAMA_PIPELINES_PKG",
    "SIMPLE_PIPELINES_PACKAGE",
    "EmptyDatasetError",
    "GenerateException",
    "Pipeline",
    "PipelineBlockError",
    "PipelineConfigParserError",
    "PipelineContext",
]
