"""Which column of a pipeline's output still holds what a column of its input held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp_sdg.spec import BlockSpec, PipelineSpec

_MAKERS = {
    "CombineColumnsBlock": ("output_col",),
    "ConditionalLLMBlock": ("output_cols",),
    "LLMBlock": ("output_cols",),
    "LLMLogProbBlock": ("output_cols",),
    "LLMMessagesBlock": ("output_col",),
    "SelectorBlock": ("output_col",),
    "SetToMajorityValueBlock": ("col_name",),
}
"""The settings in which a block type names the columns that it makes."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the columns of an output come from.

    Attributes:
        carriers: Column of the input → column of the output with the same cells.
        made: Columns of the output that blocks made.
        is_complete: Whether that is all there is to know: no custom block is among the blocks.
    """

    carriers: Mapping[str, str]
    made: frozenset[str]
    is_complete: bool


def origins_of(spec: PipelineSpec, columns: Iterable[str]) -> Origins:
    """Follow the columns of an input through a pipeline.

    Args:
        spec: The pipeline.
        columns: The columns of its input.
    """
    origin: dict[str, str | None] = {name: name for name in columns}
    for block in spec.blocks:
        origin = _after(block, origin)
        origin = {name: of for name, of in origin.items() if name not in block.drop_columns}
    carriers: dict[str, str] = {}
    for name, of in origin.items():
        if of is not None and (of not in carriers or of == name):
            carriers[of] = name
    return Origins(
        carriers,
        frozenset(name for name, of in origin.items() if of is None),
        all(_kind(block) in BUILTIN_BLOCKS for block in spec.blocks),
    )


def _kind(block: BlockSpec) -> str:
    inner: Any = block.config.get("block_type")
    return str(inner) if block.type == "IterBlock" else block.type


def _after(block: BlockSpec, origin: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the origins of the columns after a block."""
    kind, config = _kind(block), block.config
    after = dict(origin)
    if kind == "RenameColumnsBlock":
        renamed = config["columns_map"]
        return {renamed.get(name, name): of for name, of in origin.items()}
    if kind == "DuplicateColumnsBlock":
        for source, copied in config["columns_map"].items():
            after[copied] = after.get(source)
        return after
    if kind == "FlattenColumnsBlock":
        after = {name: of for name, of in origin.items() if name not in config["var_cols"]}
        return after | {config["value_name"]: None, config["var_name"]: None}
    if kind == "FilterByValueBlock" and config.get("convert_dtype"):
        return after | {config["filter_column"]: None}
    if kind == "SamplePopulatorBlock":
        # What its files hold is not looked at: cells of theirs would be taken for the seed's.
        return {name: of if name == config["column_name"] else None for name, of in origin.items()}
    if (config.get("batch_kwargs") or {}).get("num_samples") is not None:
        after.setdefault("num_samples", None)
    for setting in _MAKERS.get(kind, ()):
        names = config[setting]
        after |= dict.fromkeys([names] if isinstance(names, str) else names)
    return after
