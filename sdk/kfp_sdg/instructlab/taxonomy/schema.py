"""The schemas of taxonomy files, which are those of the package ``instructlab-schema``."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

PACKAGE = "instructlab.schema"

FEWEST_PAIRS = 1
"""How many question-answer pairs a seed example of knowledge has at least.

The schema asks for three, because InstructLab's prompts show exactly three. Ours show as many as
there are, so that somebody with two good pairs need not invent a third.
"""


@cache
def schema_versions() -> tuple[int, ...]:
    """Return the versions that there are, in order."""
    names = [entry.name for entry in files(PACKAGE).iterdir()]
    return tuple(sorted(int(name[1:]) for name in names if name[0] == "v" and name[1:].isdigit()))


@cache
def taxonomy_schema(version: int, name: str) -> Mapping[str, Any]:
    """Return a schema without references, so that each object lists its keys itself.

    Args:
        version: One of ``schema_versions()``.
        name: "compositional_skills" or "knowledge".
    """
    folder = files(PACKAGE) / f"v{version}"
    schema, common = _read(folder / f"{name}.json"), _read(folder / "version.json")
    # The schema was chosen by the version, so that the version need not be compared with it.
    fields = {
        key: {word: rule for word, rule in field.items() if word != "const"}
        for key, field in common["properties"].items()
    }
    whole = schema | {
        "required": [*common.get("required", ()), *schema["required"]],
        "properties": fields | schema["properties"],
    }
    del whole["$ref"]
    result: dict[str, Any] = _relaxed(whole)
    return result


def _relaxed(schema: Any) -> Any:
    """Return a schema in which every object says which keys it has, with our number of pairs."""
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        # There is nothing left for "unevaluated" to be about; the other word is better understood.
        "additionalProperties" if key == "unevaluatedProperties" else key: _relaxed(value)
        for key, value in schema.items()
    }
    if "questions_and_answers" in result:
        result["questions_and_answers"] |= {"minItems": FEWEST_PAIRS}
    return result


def _read(file: Traversable) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
