"""Where a block type's name leads: the built-in blocks, custom ones, and plugins."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.base import Block, BlockRegistry
from kfp_sdg.errors import BlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint, EntryPoints

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec

BUILTIN_BLOCKS: dict[str, str] = {
    "CombineColumnsBlock": "kfp_sdg.blocks.combine_columns",
    "ConditionalLLMBlock": "kfp_sdg.blocks.conditional_llm",
    "DuplicateColumnsBlock": "kfp_sdg.blocks.duplicate_columns",
    "FilterByValueBlock": "kfp_sdg.blocks.filter_by_value",
    "FlattenColumnsBlock": "kfp_sdg.blocks.flatten_columns",
    "IterBlock": "kfp_sdg.blocks.iter",
    "LLMBlock": "kfp_sdg.blocks.llm",
    "LLMLogProbBlock": "kfp_sdg.blocks.llm_log_prob",
    "LLMMessagesBlock": "kfp_sdg.blocks.llm_messages",
    "RenameColumnsBlock": "kfp_sdg.blocks.rename_columns",
    "SamplePopulatorBlock": "kfp_sdg.blocks.sample_populator",
    "SelectorBlock": "kfp_sdg.blocks.selector",
    "SetToMajorityValueBlock": "kfp_sdg.blocks.set_to_majority_value",
}
"""The module of every built-in block type, imported when the type is first asked for."""

ARGUMENTS_OF_ALL = 3
"""What every block is made with before its settings: ctx, pipe, block_name."""

BLOCKS_GROUP = "kfp_sdg.blocks"
"""Entry points that name a block class: ``EnglishToPirateBlock = "my_package.blocks:Pirate"``."""

PROMPTS_GROUP = "kfp_sdg.prompts"
"""Entry points that name a chat format: a function that returns a Jinja template, or a module
whose import registers formats."""


def block_class(type_name: str) -> type:
    """Return the class of a block type.

    A class registered by hand comes before a built-in one of the same name, and both before an
    entry point.

    Args:
        type_name: What pipelines write as ``type``.

    Raises:
        BlockError: There is no such type, or the plugin that has it cannot be imported.
    """
    registry = BlockRegistry.get_registry()
    if type_name not in registry and type_name in BUILTIN_BLOCKS:
        module = importlib.import_module(BUILTIN_BLOCKS[type_name])
        registry.setdefault(type_name, getattr(module, type_name))
    if type_name not in registry:
        for entry in _plugged(BLOCKS_GROUP).select(name=type_name):
            registry.setdefault(type_name, _load(entry))
    if type_name not in registry:
        raise BlockError(_unknown_type(type_name))
    return registry[type_name]


def custom_types() -> list[str]:
    """Return the names of the types that are not built in: registered ones and entry points."""
    plugged = {entry.name for entry in _plugged(BLOCKS_GROUP)}
    return sorted((plugged | set(BlockRegistry.get_registry())) - set(BUILTIN_BLOCKS))


def make_block(
    ctx: PipelineContext,
    pipe: PipelineSpec,
    block_name: str,
    block_type: str,
    config: Mapping[str, Any],
) -> Block:
    """Make a block of a pipeline.

    Args:
        ctx: The run's settings.
        pipe: The pipeline the block is part of.
        block_name: The block's name in the pipeline.
        block_type: The registered name of its type.
        config: The block's own settings.

    Raises:
        BlockError: There is no such type, or it has no such settings.
    """
    try:
        kind = block_class(block_type)
    except BlockError as error:
        raise BlockError(error.message, block_name=block_name, block_type=block_type) from error
    wrong = _misfits(kind, config)
    if wrong:
        raise BlockError("; ".join(wrong), block_name=block_name, block_type=block_type)
    block: Block = kind(ctx, pipe, block_name, **config)
    return block


def load_plugins(modules: Iterable[str] = ()) -> None:
    """Import plugin modules, and register everything that installed packages offer.

    Args:
        modules: Dotted names of modules that register blocks or prompts when they are imported.

    Raises:
        BlockError: A module or an entry point cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise BlockError(f"cannot import plugin module {module!r}: {error}") from error
    for entry in _plugged(BLOCKS_GROUP):
        BlockRegistry.get_registry().setdefault(entry.name, _load(entry))
    prompts = _plugged(PROMPTS_GROUP)
    if prompts:
        from kfp_sdg.prompts import PromptRegistry

        for entry in prompts:
            made = _load(entry)
            if callable(made) and entry.name not in PromptRegistry.get_registry():
                PromptRegistry.register(entry.name)(made)


def _plugged(group: str) -> EntryPoints:
    """Return the entry points of a group; finding them takes 15 ms and more."""
    from importlib.metadata import entry_points

    return entry_points(group=group)


def _misfits(kind: type, config: Mapping[str, Any]) -> list[str]:
    """Say which settings a block type does not have and which it needs."""
    parameters = list(inspect.signature(kind).parameters.values())
    settings = parameters[ARGUMENTS_OF_ALL:]
    names = [s.name for s in settings if s.kind not in (s.VAR_KEYWORD, s.VAR_POSITIONAL)]
    wrong = []
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):  # as in `__init__(self, *args, **kw)`
        for key in config:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
            if key not in names:
                wrong.append(f"unknown setting {key!r}; {hint}")
    for s in settings:
        if s.name in names and s.name not in config and s.default is s.empty:
            wrong.append(f"missing setting {s.name!r}")
    return wrong


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise BlockError(
            f"plugin {entry.name!r} ({entry.value}) cannot be imported: {error}"
        ) from error


def _unknown_type(type_name: str) -> str:
    known = sorted({*BUILTIN_BLOCKS, *custom_types()})
    near = difflib.get_close_matches(type_name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return (
        f"unknown block type {type_name!r}; {hint}There are: {', '.join(known)}. "
        "A block of your own is known once its module is imported, as --plugin MODULE does."
    )
