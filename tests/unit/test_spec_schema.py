"""The JSON schema of the language: made from the blocks, equal to the file that ships."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any, Literal, TypedDict

import pytest
import yaml
from jsonschema import Draft202012Validator

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS
from kfp_sdg.blocks.schema import annotation_schema, block_definition, schema_text
from kfp_sdg.spec import SpecError, block_schema, builtin_types, load_pipeline_text, load_schema
from kfp_sdg.spec.schema_file import SCHEMA_FILE
from spec_helpers import PROMPT, block, pipeline


class Kwargs(TypedDict, total=False):
    """Some settings.

    Attributes:
        n: How many, or
            ``scaled``.
    """

    n: int | Literal["scaled"]


class ExampleBlock:
    """Do something.

    More about it.

    Args:
        column: The column.
        mode: How.
        kwargs: Further settings.
    """

    def __init__(
        self,
        ctx,
        pipe,
        block_name,
        *,
        column: str,
        mode: Literal["a", "b"] = "a",
        kwargs: Kwargs | None = None,
    ) -> None: ...


class OldBlock:
    def __init__(self, ctx, pipe, block_name, path, more={}) -> None: ...  # noqa: B006 - upstream's


def test_a_definition_is_made_of_the_signature_and_the_docstring():
    assert block_definition(ExampleBlock) == {
        "type": "object",
        "description": "Do something.",
        "properties": {
            "column": {"type": "string", "description": "The column."},
            "mode": {"enum": ["a", "b"], "description": "How.", "default": "a"},
            "kwargs": {
                "anyOf": [
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "n": {
                                "anyOf": [{"type": "integer"}, {"enum": ["scaled"]}],
                                "description": "How many, or `scaled`.",
                            }
                        },
                    },
                    {"type": "null"},
                ],
                "description": "Further settings.",
            },
        },
        "required": ["column"],
    }


def test_a_block_without_annotations_takes_any_values():
    definition = block_definition(OldBlock)
    assert definition["required"] == ["path"]
    assert definition["properties"]["path"] == {}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str | None, {"type": ["string", "null"]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, str], {"type": "object", "additionalProperties": {"type": "string"}}),
        (dict[str, Any], {"type": "object"}),
        (Any, {}),
    ],
)
def test_annotations_become_schemas(annotation, schema):
    assert annotation_schema(annotation) == schema


def test_an_annotation_that_yaml_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="cannot be of type"):
        annotation_schema(set[str])


def test_the_shipped_file_is_what_the_blocks_say():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m kfp_sdg.blocks.schema"
    )


def test_the_schema_is_valid_and_has_every_block_type_with_every_setting_described():
    schema = load_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(builtin_types()) == set(BUILTIN_BLOCKS)
    for name in builtin_types():
        definition = block_schema(name)
        assert definition["description"], name
        for key, setting in definition["properties"].items():
            assert setting.get("description"), f"{name}.{key}"


def test_loading_the_schema_imports_no_blocks():
    import subprocess

    code = (
        "import sys, kfp_sdg.spec as s; s.load_schema(); "
        "print([m for m in sys.modules if m.startswith(('kfp_sdg.blocks', 'pyarrow', 'jsonschema', "
        "'jinja2', 'regex'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


LLM = "config_path: prompt.yaml\noutput_cols: [q]\n"
FILTER = "filter_column: a\nfilter_value: 1\noperation: eq\n"
RIGHT = {
    "llm": block(config=LLM),
    "block_config": block(config=LLM).replace("config:", "block_config:"),
    "drops": block(config=LLM, more="drop_columns: [a]\ndrop_duplicates: [q]\n"),
    "kwargs": block(config=LLM + "gen_kwargs: {top_p: 0.1, stop: [a], n: scaled}\n"),
    "filter bool": block("a", "FilterByValueBlock", FILTER.replace("1", "true")),
    "filter default": block("a", "FilterByValueBlock", FILTER + "default_value: 0.5\n"),
    "separator": block("a", "CombineColumnsBlock", "{columns: [a], output_col: b, separator: x}"),
    "messages": block("a", "LLMMessagesBlock", "{input_col: a, output_col: b}"),
    "custom": block("a", "Mine", "{anything: [1]}"),
    "iter": block("a", "IterBlock", "num_iters: 2.0\nblock_type: LLMBlock\n" + LLM),
    "iter custom": block("a", "IterBlock", "{num_iters: 2, block_type: Mine, anything: 1}"),
}
WRONG = {
    "other type's config": block("a", "FilterByValueBlock", "columns_map: {a: b}\n"),
    "unknown key": block(config=LLM + "more: 1\n"),
    "unknown kwarg": block(config=LLM + "gen_kwargs: {temprature: 1}\n"),
    "half iteration": block("a", "IterBlock", "num_iters: 1.5\nblock_type: LLMBlock\n" + LLM),
    "iter unknown key": block("a", "IterBlock", "num_iters: 1\nblock_type: LLMBlock\nx: 1\n" + LLM),
    "iter inner type": block("a", "IterBlock", "num_iters: 1\nblock_type: SelectorBlock\n" + LLM),
    "operation": block("a", "FilterByValueBlock", FILTER.replace("eq", "not_")),
    "both configs": block(config=LLM) + "  block_config: {}\n",
    "no config": "- {name: a, type: LLMBlock}\n",
    "no name": "- {type: Mine, config: {}}\n",
    "column list": block(config=LLM.replace("[q]", "q")),
}


@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_the_schema_and_the_loader_agree_on_what_is_right(tmp_path, name):
    text = pipeline((RIGHT | WRONG)[name])
    (tmp_path / "prompt.yaml").write_text(PROMPT)
    document = yaml.safe_load(text)
    assert Draft202012Validator(load_schema()).is_valid(document) == (name in RIGHT)
    expected = nullcontext() if name in RIGHT else pytest.raises(SpecError)
    with expected:
        load_pipeline_text(text, path=tmp_path / "p.yaml", custom_types=["Mine"])
