"""What the blocks of pipelines need of their teacher, read from their settings alone.

A preflight holds it against a server before any row is worked on: on a laptop from the pipelines
themselves, in a pod from the same facts as JSON (``as_values``, ``from_values``).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.asking import AskingBlock
from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS, block_class
from kfp_sdg.prompts.config import PARTS
from kfp_sdg.spec.files import file_references
from kfp_sdg.spec.scaling import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kfp_sdg.spec import BlockSpec, PipelineSpec

BYTES_PER_TOKEN = 4
"""Of English text. Most other text has fewer, so a prompt has at least so many tokens."""

_ITERATED = "IterBlock"
_MESSAGES = "LLMMessagesBlock"
_ASKS = ("model_id", "gen_kwargs", "model_family")
"""Settings by which a custom block that asks a teacher is known."""

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class BlockNeed:
    """What one block asks of the teacher.

    Attributes:
        block: The block's name; "" for a need that no block was named for.
        model_id: The block's own model; "" for none.
        insisted: The model of its ``gen_kwargs``, over every other; "" for none.
        model_family: Its own chat format; "" for none.
        formats_itself: It has a ``model_prompt``, so that completions are asked.
        messages: It sends messages to the chat endpoint, whatever the format.
        max_tokens: Its longest answer in tokens; 0 for the run's ``max_num_tokens``.
        prompt_tokens: What its longest prompt has at least, in tokens: the text that is the same in
            every row.
        constrain: Whether it wants a grammar; None leaves that to the run.
    """

    block: str = ""
    model_id: str = ""
    insisted: str = ""
    model_family: str = ""
    formats_itself: bool = False
    messages: bool = False
    max_tokens: int = 0
    prompt_tokens: int = 0
    constrain: bool | None = None


def needs_of(specs: Iterable[PipelineSpec]) -> tuple[BlockNeed, ...]:
    """Return what the blocks of pipelines need, in their order; those that ask nobody are left out.

    A custom block counts where its settings have those of ours that ask (``model_id``,
    ``gen_kwargs``, ``model_family``). Equal needs of blocks of one name are told once.

    Args:
        specs: The pipelines, checked.
    """
    needs = (_need(block, spec) for spec in specs for block in spec.blocks)
    return tuple(dict.fromkeys(need for need in needs if need is not None))


def as_values(needs: Iterable[BlockNeed]) -> list[dict[str, Any]]:
    """Return needs as JSON objects without what has its default."""
    defaults = asdict(BlockNeed())
    return [
        {name: value for name, value in asdict(need).items() if value != defaults[name]}
        for need in needs
    ]


def from_values(values: Sequence[Any]) -> tuple[BlockNeed, ...]:
    """Return the needs that JSON values tell.

    Args:
        values: Objects as ``as_values`` makes them, or the names of models.

    Raises:
        ValueError: One of them is neither; says which.
    """
    return tuple(BlockNeed(**_checked(value)) for value in values)


def _checked(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value:
        return {"insisted": value}
    known = {field.name: field.default for field in fields(BlockNeed)}
    if not isinstance(value, dict) or not value.keys() <= known.keys():
        names = ", ".join(known)
        raise ValueError(f"{value!r} is neither a model's name nor an object with {names}")
    read = {}
    for name, given in value.items():
        default = known[name]
        # KFP makes floats of the integers in constants.
        number = isinstance(default, int) and not isinstance(default, bool)
        read[name] = int(given) if number and isinstance(given, float) else given
        kinds = (bool, type(None)) if default is None else (type(default),)
        if type(read[name]) not in kinds:
            raise ValueError(f"{name!r} is {given!r} in {value!r}")
    return read


def _need(block: BlockSpec, spec: PipelineSpec) -> BlockNeed | None:
    kind, config = _inner(block.type, block.config)
    if not _asks(kind, config):
        return None
    gen_kwargs = config.get("gen_kwargs")
    gen_kwargs = gen_kwargs if isinstance(gen_kwargs, dict) else {}
    limit = gen_kwargs.get("max_completion_tokens", gen_kwargs.get("max_tokens"))
    return BlockNeed(
        block=block.name,
        model_id=_text(config.get("model_id")),
        insisted=_text(gen_kwargs.get("model")),
        model_family=_text(config.get("model_family")),
        formats_itself=config.get("model_prompt") is not None,
        messages=kind == _MESSAGES,
        max_tokens=whole_number(limit) or 0,
        prompt_tokens=max(_prompt_sizes(block, spec), default=0),
        constrain=gen_kwargs.get("constrain"),
    )


def _inner(kind: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the type and the settings of the block that does the asking."""
    return (str(config.get("block_type", "")), config) if kind == _ITERATED else (kind, config)


def _asks(kind: str, config: Mapping[str, Any]) -> bool:
    if kind in BUILTIN_BLOCKS:
        return issubclass(block_class(kind), AskingBlock)
    return any(name in config for name in _ASKS)


def _prompt_sizes(block: BlockSpec, spec: PipelineSpec) -> Iterator[int]:
    """Yield the tokens that stand in every prompt of a block, for each of its prompt configs."""
    for reference in file_references(block.type, block.config):
        content = spec.files[reference.path].content if reference.path in spec.files else {}
        text = "\n".join(_text(content.get(part)) for part in PARTS)
        yield len(_JINJA.sub("", text).strip().encode()) // BYTES_PER_TOKEN


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
