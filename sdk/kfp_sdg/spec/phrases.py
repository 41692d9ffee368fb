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


def how_to_mend(value: Any, schema: Mapping[str, Any], as_written: str | None = None) -> str | None:
    """Return how to write a value so that it fits a schema, where that is easy to say.

    Args:
        value: The value.
        schema: What it should be.
        as_written: How a number or truth value is written, where that is known.
    """
    wanted = type_names(schema)
    numeric = wanted & {"integer", "number"}
    if isinstance(value, (bool, int, float)) and "string" in wanted and not numeric:
        written = as_written or (str(value).lower() if isinstance(value, bool) else value)
        return f'in quotes it is text: "{written}"'
    if isinstance(value, str) and "array" in wanted and "string" not in wanted:
        return f"a list is written [{value}]" if len(value) <= LONGEST_SHOWN else None
    if isinstance(value, str) and numeric and _is_number(value):
        return f"a number is written without quotes: {value}"
    if value is None:
        empty = {"object": "an empty mapping is written {}", "array": "an empty list is written []"}
        known = [advice for name, advice in empty.items() if name in wanted]
        return known[0] if known else "write a value, or leave the key out"
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
    yield from schema.get("enum", schema.get("examples", ()))
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
    names = [kind] if isinstance(kind, str) else list(kind)
    if "number" in names and "integer" in names:
        names.remove("integer")
    for name in names:
        if name == "array":
            yield _array_phrase(schema)
        elif name == "object" and isinstance(schema.get("additionalProperties"), dict):
            yield f"a mapping of {_plural(schema['additionalProperties'])}"
        elif name == "string" and ("pattern" in schema or schema.get("minLength")):
            yield schema.get("title", "text that is not empty")
        elif name != "null":  # leaving the key out is the better advice
            yield SINGULAR[name]


def _array_phrase(schema: Mapping[str, Any]) -> str:
    phrase = f"a list of {_plural(schema['items'])}" if schema.get("items") else "a list"
    fewest = schema.get("minItems", 0)
    return f"{phrase} with at least {_entries(fewest)}" if fewest else phrase


def _entries(number: int) -> str:
    return "one entry" if number == 1 else f"{number} entries"


def _plural(schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "array":
        return _array_phrase(schema).replace("a list", "lists", 1)
    wanted = type_names(schema)
    return " or ".join(word for name, word in PLURAL.items() if name in wanted) or "values"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
