"""A value against a structural schema, a CRD's ``openAPIV3Schema``, strictly.

An unknown field is an error, where the API server by itself would drop it in silence.
Rules: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cluster.checks.cel import broken_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

Problem = tuple[str, str]
"""A path (".spec.replicas") and what is wrong there."""

_OBJECT_FIELDS = ("apiVersion", "kind", "metadata")
_INT_BITS = {"int32": 31, "int64": 63}


def problems(schema: dict[str, Any], value: Any, path: str = "") -> Iterator[Problem]:
    """Yield everything that is wrong with a value.

    Args:
        schema: A structural schema.
        value: What YAML gave.
        path: The value's place in the object.
    """
    if value is None:
        if not schema.get("nullable"):
            yield path, f"is null; expected {_type_of(schema)}"
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield path, f"is {_kind(value)}; expected a whole number or text"
        elif isinstance(value, str):
            yield from _text_problems(schema, value, path)
        return
    if not _fits(schema.get("type"), value):
        yield path, f"is {_kind(value)} ({value!r:.60}); expected {_type_of(schema)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"is {value!r}; expected one of {', '.join(map(str, schema['enum']))}"
    if isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, path)
    elif isinstance(value, str):
        yield from _text_problems(schema, value, path)
    elif not isinstance(value, bool):
        yield from _number_problems(schema, value, path)
    for message in broken_rules(schema, value):
        yield path, message


def _object_problems(schema: dict[str, Any], value: dict[str, Any], path: str) -> Iterator[Problem]:
    """Yield what is wrong with an object and in it."""
    fields: dict[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or others is True
    embedded = schema.get("x-kubernetes-embedded-resource")
    for key in schema.get("required", ()):
        if key not in value:
            yield path, f"lacks the required field {key!r}"
    for key, inner in value.items():
        place = f"{path}.{key}" if re.fullmatch(r"\w+", str(key)) else f"{path}[{key!r}]"
        if not isinstance(key, str):
            yield place, "the key is no text"
        elif key in fields:
            yield from problems(fields[key], inner, place)
        elif isinstance(others, dict):
            yield from problems(others, inner, place)
        elif not open_ended and not (embedded and key in _OBJECT_FIELDS):
            yield place, f"unknown field{_did_you_mean(key, fields)}"
    yield from _size_problems(schema, len(value), path, "Properties", "entries")


def _list_problems(schema: dict[str, Any], value: list[Any], path: str) -> Iterator[Problem]:
    """Yield what is wrong with a list and in it."""
    if "items" in schema or not schema.get("x-kubernetes-preserve-unknown-fields"):
        for index, inner in enumerate(value):
            yield from problems(schema.get("items", {}), inner, f"{path}[{index}]")
    yield from _size_problems(schema, len(value), path, "Items", "items")
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys", ())
    seen: list[Any] = []
    for index, inner in enumerate(value):
        identity = inner
        if kind == "map" and isinstance(inner, dict):
            fields = schema["items"].get("properties", {})
            identity = [inner.get(k, fields.get(k, {}).get("default")) for k in keys]
        if kind in ("map", "set") and identity in seen:
            yield f"{path}[{index}]", f"is a second entry for {identity!r}"
        seen.append(identity)


def _text_problems(schema: dict[str, Any], value: str, path: str) -> Iterator[Problem]:
    """Yield what is wrong with a text."""
    pattern = schema.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        yield path, f"is {value!r}; expected what matches {pattern}"
    yield from _size_problems(schema, len(value), path, "Length", "characters")
    if schema.get("format") == "date-time" and not re.match(r"\d{4}-\d\d-\d\dT", value):
        yield path, f"is {value!r}; expected a time as in RFC 3339"


def _number_problems(schema: dict[str, Any], value: float, path: str) -> Iterator[Problem]:
    """Yield what is wrong with a number."""
    if "minimum" in schema and value < schema["minimum"]:
        yield path, f"is {value}; expected at least {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield path, f"is {value}; expected at most {schema['maximum']}"
    bits = _INT_BITS.get(schema.get("format", ""))
    if bits and not -(2**bits) <= value < 2**bits:
        yield path, f"is {value}; expected an {schema['format']}"


def _size_problems(
    schema: dict[str, Any], size: int, path: str, suffix: str, unit: str
) -> Iterator[Problem]:
    """Yield that there is too little or too much of something."""
    if size < schema.get(f"min{suffix}", 0):
        yield path, f"has {size} {unit}; expected at least {schema[f'min{suffix}']}"
    if size > schema.get(f"max{suffix}", size):
        yield path, f"has {size} {unit}; expected at most {schema[f'max{suffix}']}"


def _fits(kind: str | None, value: Any) -> bool:
    """Tell whether a value is of a schema's type."""
    if kind is None:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    types: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
    }
    return isinstance(value, types.get(kind, ()))


def _type_of(schema: dict[str, Any]) -> str:
    """Return what a schema wants, in a word."""
    return "int-or-string" if schema.get("x-kubernetes-int-or-string") else schema.get("type", "?")


def _kind(value: Any) -> str:
    """Return what a value is, in JSON's words."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    return names.get(type(value), type(value).__name__)


def _did_you_mean(key: str, fields: dict[str, Any]) -> str:
    """Return the nearest field, as part of a sentence."""
    import difflib

    lower = {name.lower(): name for name in fields}
    near = difflib.get_close_matches(key.lower(), lower, n=1)
    return f"; did you mean {lower[near[0]]!r}?" if near else ""


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern of Go's for Python: a ``$`` there is the end of the text alone."""
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern).replace("$|", r"\Z|"))
