"""Values that are right are let through without ``jsonschema``, which costs 40 ms to import.

It is the judge of whatever this module is not sure of, and finds what is wrong. So a keyword that
is not known here costs time and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.phrases import fits_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def surely_right(value: Any, schema: Mapping[str, Any]) -> bool:
    """Tell whether a value is right beyond doubt.

    Args:
        value: The JSON value.
        schema: What it should be (draft 2020-12).

    Returns:
        True only where ``jsonschema`` would find nothing; False says nothing.
    """
    return all(
        keyword in _TELL_NOTHING
        or (keyword in _RULES and _RULES[keyword](value, schema[keyword], schema))
        for keyword in schema
    )


def _type(value: Any, names: Any, schema: Mapping[str, Any]) -> bool:
    return fits_type(value, {"type": names})


def _enum(value: Any, words: Any, schema: Mapping[str, Any]) -> bool:
    return any(type(value) is type(word) and value == word for word in words)


def _any_of(value: Any, branches: Any, schema: Mapping[str, Any]) -> bool:
    return any(surely_right(value, branch) for branch in branches)


def _pattern(value: Any, pattern: str, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, str) or re.search(pattern, value) is not None


def _min_length(value: Any, shortest: int, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, str) or len(value) >= shortest


def _min_items(value: Any, fewest: int, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, list) or len(value) >= fewest


def _items(value: Any, rule: Any, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, list) or all(surely_right(item, rule) for item in value)


def _unique_items(value: Any, wanted: bool, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, list) or all(
        item not in value[:place] for place, item in enumerate(value)
    )


def _required(value: Any, keys: Any, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, dict) or all(key in value for key in keys)


def _properties(value: Any, rules: Any, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, dict) or all(
        surely_right(item, rules[key]) for key, item in value.items() if key in rules
    )


def _additional(value: Any, rule: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    others = [item for key, item in value.items() if key not in known]
    return all(isinstance(rule, dict) and surely_right(item, rule) for item in others)


_TELL_NOTHING = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples"}
    | {"deprecated"}
)
_RULES: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": _type,
    "enum": _enum,
    "anyOf": _any_of,
    "pattern": _pattern,
    "minLength": _min_length,
    "minItems": _min_items,
    "uniqueItems": _unique_items,
    "items": _items,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
}
