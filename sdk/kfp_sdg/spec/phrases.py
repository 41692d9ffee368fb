"""JSON schemas and values in words that a person who writes YAML knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.problems import one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}

SINGULAR = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}

PLURAL = {
    "object": "mappings",
    "array": "lists",
    "string": "texts",
    "number": "numbers",
    "integer": "whole numbers",
    "boolean": "truth values",
}

LONGEST_SHOWN = 40


def describe_schema(schema: Mapping[str, Any]) -> str:
    """Return what a schema asks for, as a phrase: "a list of texts", "one of eq, ne, ge"."""
    phrases = list(dict.fromkeys(_phrases(schema)))
    return " or ".join(phrases) or "any value"


def describe_value(value: Any) -> str:
    """Return what a value is, as a phrase: "the number 3", "a list"."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        shown = value if len(value) <= LONGEST_SHOWN else value[: LONGEST_SHOWN - 1] + "…"
        return f"the text {shown!r}" if value else "an empty text"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "a mapping" if value else "an empty mapping"


def how_to_mend(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Return how to write a value so that it fits a schema, where that is easy to say."""
    wanted = type_names(schema)
    if isinstance(value, (bool, int, float)) and "string" in wanted:
        return f'in quotes it is text: "{str(value).lower() if value in (True, False) else value}"'
    if isinstance(value, str) and "array" in wanted and "string" not in wanted:
        return f"a list is written [{value}]" if len(value) <= LONGEST_SHOWN else None
    if isinstance(value, str) and wanted & {"integer", "number"} and _is_number(value):
        return f"a number is written without quotes: {value}"
    if value is None:
        return "write a value, or leave the key out"
    return None


def fits_type(value: Any, schema: Mapping[str, Any]) -> bool:
    """Tell whether a value is of a type that a schema asks for, whatever else it asks."""
    if "enum" in schema:
        return any(type(value) is type(word) for word in schema["enum"])
    if "anyOf" in schema:
        return any(fits_type(value, branch) for branch in schema["anyOf"])
    names = type_names(schema) or set(TYPES)
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)


def words_of(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the words that a schema names as possible values."""
    yield from schema.get("enum", ())
    for branch in schema.get("anyOf", ()):
        yield from words_of(branch)


def type_names(schema: Mapping[str, Any]) -> set[str]:
    """Return the names of the JSON types that a schema asks for; none where any will do."""
    kind = schema.get("type", [])
    names = {kind} if isinstance(kind, str) else set(kind)
    return names.union(*(type_names(branch) for branch in schema.get("anyOf", ())))


def _phrases(schema: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in schema:
        yield one_of(schema["enum"])
    for branch in schema.get("anyOf", ()):
        yield from _phrases(branch)
    kind = schema.get("type", [])
    for name in [kind] if isinstance(kind, str) else kind:
        if name == "array":
            yield _array_phrase(schema)
        elif name == "string" and "pattern" in schema:
            yield "text that is not empty"
        elif name != "null":  # leaving the key out is the better advice
            yield SINGULAR[name]


def _array_phrase(schema: Mapping[str, Any]) -> str:
    items = schema.get("items", {})
    kind = items.get("type")
    inner = [PLURAL[name] for name in ([kind] if isinstance(kind, str) else kind or ())]
    if kind == "array":
        inner = [_array_phrase(items).replace("a list", "lists", 1)]
    phrase = "a list" + (f" of {' or '.join(inner)}" if inner else "")
    return f"{phrase} with at least one entry" if schema.get("minItems") else phrase


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
