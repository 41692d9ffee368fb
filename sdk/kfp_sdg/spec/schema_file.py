"""The JSON schema of the language, as shipped; ``kfp_sdg.blocks.schema`` writes it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

SCHEMA_FILE = files("kfp_sdg.spec").joinpath("schema/v1.json")

ITERATED = "IterBlock"
"""The block type whose config also holds the settings of the block that it repeats."""


@cache
def load_schema() -> dict[str, Any]:
    """Return the schema of pipeline files (draft 2020-12); not to be changed."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def builtin_types() -> tuple[str, ...]:
    """Return the names of the block types that the schema knows, in alphabetical order."""
    return tuple(load_schema()["$defs"]["block"]["properties"]["type"]["anyOf"][0]["enum"])


def block_schema(block_type: str) -> dict[str, Any] | None:
    """Return the schema of a block type's config; None for a custom type."""
    if block_type not in builtin_types():
        return None
    definition: dict[str, Any] = load_schema()["$defs"][block_type]
    return definition
