"""The JSON schema of the language, made from the blocks' own signatures and docstrings.

``python -m kfp_sdg.blocks.schema`` writes it to ``spec/schema/v1.json``; a test holds that file
equal to what is generated here, so that the language and the blocks cannot drift apart.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from docstring_parser import Docstring, DocstringStyle, parse

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS, block_class
from kfp_sdg.blocks.generation import Scaled
from kfp_sdg.spec.scaling import SCALED, SCALED_FORMS, SCALED_PATTERN
from kfp_sdg.spec.schema_file import ITERATED, SCHEMA_FILE

Schema: TypeAlias = dict[str, Any]

SCHEMA_ID = "urn:kfp-sdg:pipeline:1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

NOT_SETTINGS = 4
"""Parameters of a block's ``__init__`` before its settings: self, ctx, pipe, block_name."""

SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
    Scaled: {
        "type": "string",
        "pattern": SCALED_PATTERN,
        "title": SCALED_FORMS,
        "examples": [SCALED],
    },
    dict: {"type": "object"},
    list: {"type": "array"},
}


def block_definition(block: type) -> Schema:
    """Return the schema of a block type's ``config``.

    Args:
        block: The class. Its settings are the parameters of ``__init__`` after ``block_name``;
            those without an annotation (custom blocks of InstructLab) take any value.

    Returns:
        An object schema with a property for every setting. It leaves further keys open: whoever
        refers to it closes it, since IterBlock puts its own keys beside those of its inner block.

    Raises:
        TypeError: An annotation is none of the types that settings may have.
    """
    init = inspect.unwrap(block.__init__)  # type: ignore[misc]  # only its signature is read
    parameters = list(inspect.signature(init).parameters.values())[NOT_SETTINGS:]
    settings = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    hints = _hints({p.name: p.annotation for p in settings if p.annotation is not p.empty}, init)
    doc = _docstring(block)
    about = {param.arg_name: param.description for param in doc.params}
    properties = {}
    for parameter in settings:
        schema = _described(annotation_schema(hints.get(parameter.name, Any)), about, parameter)
        if parameter.default is parameter.empty:
            _forbid_empty_list(schema)
        elif parameter.default is not None:
            schema["default"] = parameter.default
        properties[parameter.name] = schema
    return {
        "type": "object",
        "description": doc.short_description or "",
        "properties": properties,
        "required": [p.name for p in settings if p.default is p.empty],
    }


def annotation_schema(annotation: Any) -> Schema:
    """Return the JSON schema of an annotation that a block's setting may have.

    Args:
        annotation: str, int, float, bool, None, Any, list, dict with text keys, Literal, a union
            of these, or a TypedDict, whose keys are closed.

    Raises:
        TypeError: It is something else.
    """
    if annotation in SCALARS:
        return dict(SCALARS[annotation])
    if typing.is_typeddict(annotation):
        return _typed_dict_schema(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        return {"type": "array", "items": annotation_schema(arguments[0])}
    if origin is dict and arguments[0] is str:
        values = annotation_schema(arguments[1])
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union_schema([annotation_schema(argument) for argument in arguments])
    raise TypeError(f"a block's setting cannot be of type {annotation!r}")


def pipeline_schema(blocks: dict[str, type]) -> Schema:
    """Return the schema of pipeline files.

    Args:
        blocks: The class of every block type by the name that pipelines use.

    Returns:
        A JSON schema of draft 2020-12 with one definition per block type. A type that is not among
        them is a custom block, whose config may hold anything.
    """
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        "title": "SDG pipeline",
        "description": "A pipeline of blocks that generate and refine rows.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "blocks"],
        "properties": {
            "version": {
                "type": "string",
                "pattern": r"^1\.[0-9]+$",
                "description": 'Version of the format, "1.0" in quotes.',
            },
            "blocks": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/block"},
                "description": "The blocks, in the order in which the rows go through them.",
            },
            "datamixing": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "auxiliary_instructions": {
                        "type": "object",
                        "additionalProperties": texts,
                        "description": "Instructions by the dataset type they are for.",
                    }
                },
                "description": "What the mixing of training data takes from this pipeline.",
            },
        },
        "$defs": {"block": _block_entry(list(blocks))}
        | {name: _definition(name, block, list(blocks)) for name, block in blocks.items()},
    }


def schema_text() -> str:
    """Return the schema of the built-in blocks as the text of its file."""
    blocks = {name: block_class(name) for name in sorted(BUILTIN_BLOCKS)}
    return json.dumps(pipeline_schema(blocks), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema to its file in the spec package."""
    Path(str(SCHEMA_FILE)).write_text(schema_text(), encoding="utf-8")


def _block_entry(names: list[str]) -> Schema:
    columns = {"type": "array", "items": {"type": "string"}}
    config = {"type": "object", "description": "The block type's own settings."}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "type"],
        "oneOf": [{"required": ["config"]}, {"required": ["block_config"]}],
        "properties": {
            "name": {
                "type": "string",
                "pattern": r"\S",
                "description": "The block's name, unique in its pipeline.",
            },
            "type": {
                "anyOf": [{"enum": names}, {"type": "string", "pattern": r"\S"}],
                "description": "The block type; any other name is a custom block.",
            },
            "config": config,
            "block_config": config | {"description": "Another spelling of config."},
            "drop_columns": columns
            | {"description": "Columns to drop from the output; missing ones are ignored."},
            "drop_duplicates": columns
            | {"description": "Columns in which no two rows of the output may agree."},
        },
        "allOf": [
            _if_then("type", name, {"config": _closed(name), "block_config": _closed(name)})
            for name in names
        ],
    }


def _closed(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}", "unevaluatedProperties": False}


def _if_then(key: str, value: str, properties: Schema) -> Schema:
    condition = {"properties": {key: {"const": value}}, "required": [key]}
    return {"if": condition, "then": {"properties": properties}}


def _definition(name: str, block: type, names: list[str]) -> Schema:
    definition = block_definition(block)
    if name == ITERATED:
        definition["allOf"] = [
            {
                "if": {"properties": {"block_type": {"const": inner}}, "required": ["block_type"]},
                "then": {"$ref": f"#/$defs/{inner}"},
            }
            for inner in names
            if inner != ITERATED
        ]
        known = {"properties": {"block_type": {"enum": names}}}
        definition["allOf"].append({"if": {"not": known}, "then": {"additionalProperties": True}})
    return definition


def _hints(annotations: dict[str, Any], init: Any) -> dict[str, Any]:
    # Only the settings' annotations: the others name types that are imported for checking only.
    holder = types.SimpleNamespace(__annotations__=annotations)
    return typing.get_type_hints(holder, globalns=init.__globals__)


def _union_schema(alternatives: list[Schema]) -> Schema:
    if all(list(schema) == ["type"] for schema in alternatives):
        return {"type": [schema["type"] for schema in alternatives]}
    return {"anyOf": alternatives}


def _forbid_empty_list(schema: Schema) -> None:
    """Ask for at least one entry where a list stands for a setting that every block must have."""
    for branch in schema.get("anyOf", [schema]):
        if branch.get("type") == "array":
            branch["minItems"] = 1


def _docstring(documented: type) -> Docstring:
    return parse(inspect.cleandoc(documented.__doc__ or ""), style=DocstringStyle.GOOGLE)


def _described(
    schema: Schema, about: dict[str, str | None], parameter: inspect.Parameter
) -> Schema:
    text = about.get(parameter.name)
    return schema | ({"description": _one_line(text)} if text else {})


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("``", "`").strip()


def _typed_dict_schema(typed_dict: Any) -> Schema:
    about = {param.arg_name: param.description for param in _docstring(typed_dict).params}
    properties = {}
    for name, annotation in typing.get_type_hints(typed_dict).items():
        properties[name] = annotation_schema(annotation)
        if text := about.get(name):
            properties[name]["description"] = _one_line(text)
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    if required := sorted(typed_dict.__required_keys__):
        schema["required"] = required
    return schema


if __name__ == "__main__":
    main()
