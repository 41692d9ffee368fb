"""From a list of block entries, as InstructLab's ``Pipeline`` has it, to a kfp-sdg pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructlab.sdg._context import DEFAULT_MAX_NUM_TOKENS
from kfp_sdg.blocks.catalog import custom_types
from kfp_sdg.errors import BlockError
from kfp_sdg.spec import BlockSpec, ConfigFile, PipelineSpec, load_pipeline
from kfp_sdg.spec.files import FileFinder, FileMissingError, FileNotAllowedError, file_references
from kfp_sdg.spec.problems import Findings
from kfp_sdg.spec.yaml_source import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from instructlab.sdg.pipeline import Pipeline

ASKING = frozenset({"LLMBlock", "ConditionalLLMBlock", "LLMLogProbBlock"})
"""The types whose longest answer InstructLab sets by its own rule."""

LIMITED = "gen_knowledge"
"""The block that ``max_num_tokens`` is for; InstructLab knows it by its name."""


@dataclass(frozen=True)
class RunSpec(PipelineSpec):
    """A kfp-sdg pipeline that is also the ``pipe`` that InstructLab's blocks know.

    Attributes:
        pipeline: What it was made from.
    """

    pipeline: Pipeline | None = field(default=None, compare=False, repr=False)

    def __getattr__(self, name: str) -> Any:
        """Return what InstructLab's ``Pipeline`` has: ``ctx``, ``chained_blocks`` and so on."""
        if name.startswith("__") or self.pipeline is None:
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def file(self, path: str, *, block_name: str | None = None) -> ConfigFile:
        """Return a file; a custom block may ask for one that only it knows of.

        Args:
            path: Relative to the pipeline's folder, or absolute.
            block_name: The block that asks, for the error.

        Raises:
            BlockError: There is no such file.
            SpecError: It is no YAML mapping.
        """
        if path in self.files:
            return self.files[path]
        return find_file(path, self.config_path, block_name)


def find_file(path: str, config_path: str, block_name: str | None = None) -> ConfigFile:
    """Return a file that a block names.

    Args:
        path: Relative to the pipeline's folder, or absolute.
        config_path: The pipeline's file.
        block_name: The block that asks, for the error.

    Raises:
        BlockError: There is no such file, or it is outside of the folders that may be read.
        SpecError: It is no YAML mapping.
    """
    finder = FileFinder(Path(config_path).parent, _trusted([path]))
    try:
        place = finder.find(path)
    except FileMissingError:
        raise BlockError(
            f"there is no config file {path!r} in {finder.searched()}", block_name=block_name
        ) from None
    except FileNotAllowedError:
        raise BlockError(
            f"the config file {path!r} leads out of the pipeline's folder; give its absolute path",
            block_name=block_name,
        ) from None
    document = read_yaml(place, kind="config file", findings=Findings())
    return ConfigFile(path, document.content, document.source)


def spec_of(pipeline: Pipeline, unchanged: bool) -> RunSpec:
    """Return the kfp-sdg pipeline of a ``Pipeline``.

    Args:
        pipeline: The pipeline.
        unchanged: Whether its blocks are those of its file; then errors have lines.

    Raises:
        SpecError: Entries or files are wrong.
        BlockError: A file is missing.
        KeyError: An entry lacks ``name``, ``type`` or ``config``.
    """
    entries = pipeline.chained_blocks
    if unchanged:
        paths = [
            reference.path
            for entry in entries
            for reference in file_references(entry["type"], entry["config"])
        ]
        spec = load_pipeline(
            pipeline.config_path, config_roots=_trusted(paths), custom_types=custom_types()
        )
    else:
        blocks = tuple(_block(entry) for entry in entries)
        files = _files(blocks, pipeline.config_path)
        spec = PipelineSpec(blocks=blocks, files=files, config_path=pipeline.config_path)
    return as_run_spec(spec, pipeline.ctx.max_num_tokens if pipeline.ctx else None, pipeline)


def as_run_spec(
    spec: PipelineSpec, max_num_tokens: int | None, pipeline: Pipeline | None = None
) -> RunSpec:
    """Return a pipeline whose blocks have InstructLab's limits of tokens.

    Args:
        spec: The pipeline.
        max_num_tokens: The longest answer of the block ``gen_knowledge``.
        pipeline: What it was made from.
    """
    of_spec = {f.name: getattr(spec, f.name) for f in fields(PipelineSpec)}
    of_spec["blocks"] = tuple(_with_limit(block, max_num_tokens) for block in spec.blocks)
    return RunSpec(**of_spec, pipeline=pipeline)


def token_limit(block_name: str, gen_kwargs: Mapping[str, Any], max_num_tokens: int | None) -> int:
    """Return the longest answer of a block, by InstructLab's rule.

    Args:
        block_name: The block's name.
        gen_kwargs: Its own settings.
        max_num_tokens: The run's, which counts for ``gen_knowledge`` alone, and there over the
            block's own.
    """
    wanted = max_num_tokens or DEFAULT_MAX_NUM_TOKENS
    if block_name == LIMITED and wanted != DEFAULT_MAX_NUM_TOKENS:
        return wanted
    return int(gen_kwargs.get("max_tokens", DEFAULT_MAX_NUM_TOKENS))


def _with_limit(block: BlockSpec, max_num_tokens: int | None) -> BlockSpec:
    kind = block.config.get("block_type") if block.type == "IterBlock" else block.type
    gen_kwargs = block.config.get("gen_kwargs") or {}
    if kind not in ASKING or "max_completion_tokens" in gen_kwargs:
        return block
    limit = token_limit(block.name, gen_kwargs, max_num_tokens)
    config = {**block.config, "gen_kwargs": {**gen_kwargs, "max_tokens": limit}}
    return replace(block, config=config)


def _block(entry: Mapping[str, Any]) -> BlockSpec:
    return BlockSpec(
        name=entry["name"],
        type=entry["type"],
        config=dict(entry["config"]),
        drop_columns=tuple(entry.get("drop_columns") or ()),
        drop_duplicates=tuple(entry.get("drop_duplicates") or ()),
    )


def _files(blocks: Iterable[BlockSpec], config_path: str) -> dict[str, ConfigFile]:
    return {
        reference.path: find_file(reference.path, config_path, block.name)
        for block in blocks
        for reference in file_references(block.type, block.config)
    }


def _trusted(paths: Iterable[str]) -> list[Path]:
    """Return the folders of absolute paths: who writes one means it."""
    return [Path(path).parent for path in paths if Path(path).is_absolute()]
