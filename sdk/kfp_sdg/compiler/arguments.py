"""What each task is given: a block's settings and files, and the run's parameters, by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS, block_class
from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.runtime.encoding import config_inputs, dump_json, encode_config
from kfp_sdg.spec.files import file_references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfp.dsl.structures import InputSpec

    from kfp_sdg.runtime.encoding import Scalar
    from kfp_sdg.spec import BlockSpec, PipelineSpec

ROWS = "rows"
"""The input of every block's component that the rows come in by."""

LARGEST = 100_000
"""Bytes of JSON that a task's constants may have. KFP hands a task all of its inputs in a single
command line argument, for which Linux allows 131072 bytes; the rest is for URLs and paths."""


def block_arguments(
    block: BlockSpec,
    spec: PipelineSpec,
    inputs: Mapping[str, InputSpec],
    *,
    constants: Mapping[str, Scalar],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the arguments of a block's task, the rows aside.

    Args:
        block: The block.
        spec: The pipeline it is part of.
        inputs: Its component's inputs by name; one that nothing is known for keeps its default.
        constants: What the pipeline's blocks have in common.
        run: What the component's other inputs are given: KFP's channels by parameter name.

    Raises:
        SpecError: A setting is missing or cannot travel as a component input, or all of them are
            too large for a task.
    """
    files = {path: spec.files[path].content for path in _files_of(block)}
    known: dict[str, Scalar] = {
        "block_name": _named(block),
        "drop_columns": dump_json(list(block.drop_columns)),
        "drop_duplicates": dump_json(list(block.drop_duplicates)),
        "files": dump_json(files),
        **constants,
        **_settings(block),
    }
    given = {name: value for name, value in known.items() if name in inputs}
    _require_fit(block, given, files)
    arguments = given | {name: value for name, value in run.items() if name in inputs}
    _require_complete(block, arguments, inputs)
    return arguments


def _named(block: BlockSpec) -> str:
    """Return the block's name, unless a workflow engine would take it for a template."""
    if "{{" not in block.name:
        return block.name
    raise SpecError(
        Problem(
            "the block's name has two opening braces in a row, which workflow engines take for a "
            "template of theirs",
            block.source.at("name"),
            block=block.name,
            code="braces",
        )
    )


def _settings(block: BlockSpec) -> dict[str, Scalar]:
    """Return a block's settings as component inputs."""
    if block.type not in BUILTIN_BLOCKS:
        return {"block_type": block.type, "config": dump_json(dict(block.config))}
    return encode_config(
        block.config,
        config_inputs(block_class(block.type)),
        block_name=block.name,
        source=block.source,
    )


def _files_of(block: BlockSpec) -> list[str]:
    """Return the paths of the files that a block refers to, in its settings' order."""
    references = file_references(block.type, block.config)
    return list(dict.fromkeys(reference.path for reference in references))


def _require_fit(
    block: BlockSpec, constants: Mapping[str, Scalar], files: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise a ``SpecError`` unless a task's constants fit into a command line argument."""
    size = len(json.dumps(constants))
    if size <= LARGEST:
        return
    if files:
        largest = max(files, key=lambda path: len(json.dumps(files[path])))
        blame = f"; the largest of its files is {largest!r}"
    else:
        blame = ""
    raise SpecError(
        Problem(
            f"its settings and files make {size:,} bytes as the inputs of a task{blame}",
            block.source.at("config"),
            block=block.name,
            expected=f"at most {LARGEST:,} bytes, since a task gets all of its inputs in one "
            "command line argument",
            suggestion="shorten the file, or split the block",
            code="too-large",
        )
    )


def _require_complete(
    block: BlockSpec, arguments: Mapping[str, Any], inputs: Mapping[str, InputSpec]
) -> None:
    """Raise a ``SpecError`` unless every input without a default is given; rows come later."""
    missing = [
        name
        for name, entry in inputs.items()
        if not entry.optional and name not in arguments and name != ROWS
    ]
    if missing:
        raise SpecError(
            Problem(
                f"its settings lack {', '.join(map(repr, missing))}",
                block.source.at("config"),
                block=block.name,
                code="missing-key",
            )
        )
