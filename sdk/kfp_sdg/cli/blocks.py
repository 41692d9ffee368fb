"""``kfp-sdg blocks``: what there is, from the same source as the schema: the blocks themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import PluginOption
from kfp_sdg.cli.pipeline_file import PipelineSource

if TYPE_CHECKING:
    from rich.console import Console

blocks_app = typer.Typer(
    help="The block types that pipelines can use, and their settings.", no_args_is_help=True
)


@blocks_app.command("list")
def list_command(
    plugin: PluginOption = None,
    debug: DebugOption = False,
) -> None:
    """List the block types.

    Example: `kfp-sdg blocks list`
    """
    from rich.table import Table
    from rich.text import Text

    from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS, block_class, custom_types
    from kfp_sdg.blocks.schema import block_definition
    from kfp_sdg.cli.console import output_console

    PipelineSource(plugins=plugin or ()).load_plugins()
    table = Table.grid(padding=(0, 2))
    for name in (*sorted(BUILTIN_BLOCKS), *custom_types()):
        summary = block_definition(block_class(name))["description"]
        table.add_row(Text(name, style="bold"), Text(summary))
    output_console().print(table)


@blocks_app.command("show")
def show_command(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A block type, such as LLMBlock.", show_default=False),
    ],
    plugin: PluginOption = None,
    debug: DebugOption = False,
) -> None:
    """Show a block type's settings, and an entry to start from.

    Example: `kfp-sdg blocks show FilterByValueBlock`
    """
    from rich.text import Text

    from kfp_sdg.blocks.catalog import block_class
    from kfp_sdg.blocks.schema import block_definition
    from kfp_sdg.cli.console import output_console
    from kfp_sdg.errors import BlockError

    PipelineSource(plugins=plugin or ()).load_plugins()
    try:
        block = block_class(name)
    except BlockError as error:
        raise typer.BadParameter(error.message, param_hint="NAME") from None
    definition = block_definition(block)
    console = output_console()
    console.print(Text(name, style="bold"), Text(definition["description"]), sep="\n")
    rows = "one at a time" if getattr(block, "row_wise", False) else "all together"
    console.print(Text(f"Takes its rows {rows}.", style="dim"))
    console.print(Text("\nconfig", style="bold"))
    _show_settings(console, definition, indent=2)
    console.print(Text("\nbeside config", style="bold"))
    _show_settings(console, _BESIDE_CONFIG, indent=2)
    console.print(Text("\nan entry to start from", style="bold"))
    console.print(Text(_entry(name, definition)))


_BESIDE_CONFIG = {
    "properties": {
        "drop_columns": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Columns to drop from the output; missing ones are ignored.",
        },
        "drop_duplicates": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Columns in which no two rows of the output may agree.",
        },
    }
}


def _show_settings(console: Console, definition: dict[str, Any], *, indent: int) -> None:
    """Print the settings of an object schema, nested ones below their own."""
    from rich.padding import Padding
    from rich.text import Text

    required = definition.get("required", [])
    for key, schema in definition["properties"].items():
        head = Text.assemble((key, "cyan"), f"  {type_phrase(schema)}")
        if key in required:
            head.append("  required", style="bold")
        elif "default" in schema:
            head.append(f"  default {json.dumps(schema['default'], ensure_ascii=False)}", "dim")
        console.print(Padding(head, (0, 0, 0, indent), expand=False))
        if "description" in schema:
            console.print(Padding(Text(schema["description"]), (0, 0, 0, indent + 4), expand=False))
        for nested in (schema, *schema.get("anyOf", [])):
            if "properties" in nested:
                _show_settings(console, nested, indent=indent + 4)


def type_phrase(schema: dict[str, Any]) -> str:
    """Return a setting's type in words: "text", "list of text", "one of a, b"."""
    if "enum" in schema:
        values = ", ".join(json.dumps(value) for value in schema["enum"])
        return f"one of {values}" if len(schema["enum"]) > 1 else values
    if "anyOf" in schema:
        return " or ".join(type_phrase(part) for part in schema["anyOf"] if not _is_null(part))
    if "title" in schema:
        return str(schema["title"])
    kind = schema.get("type", "any value")
    kinds = [kind] if isinstance(kind, str) else [k for k in kind if k != "null"]
    words = " or ".join(_WORDS.get(k, k) for k in kinds)
    if kinds == ["array"] and schema.get("items"):
        return f"list of {type_phrase(schema['items'])}"
    if kinds == ["object"] and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping of text to {type_phrase(schema['additionalProperties'])}"
    return words


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "nothing",
}


def _is_null(schema: dict[str, Any]) -> bool:
    """Tell whether a schema means None."""
    return schema.get("type") == "null"


def _entry(name: str, definition: dict[str, Any]) -> str:
    """Return a YAML entry with the required settings."""
    lines = [f"  - name: my_{name.removesuffix('Block').lower()}", f"    type: {name}"]
    required = definition["required"]
    if not required:
        return "\n".join([*lines, "    config: {}"])
    lines.append("    config:")
    for key in required:
        lines.append(f"      {key}: {_placeholder(definition['properties'][key])}")
    return "\n".join(lines)


def _placeholder(schema: dict[str, Any]) -> str:
    """Return a value of the right type to write over."""
    if "enum" in schema:
        return str(schema["enum"][0])
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return "[…]"
    if kind == "object":
        return "{…: …}"
    return {"integer": "1", "number": "1", "boolean": "true"}.get(str(kind), "…")
