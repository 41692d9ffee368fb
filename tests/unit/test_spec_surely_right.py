"""The quick look at values: where it says that one is right, ``jsonschema`` finds nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kfp_sdg.instructlab.taxonomy.schema import schema_versions, taxonomy_schema
from kfp_sdg.spec import block_schema, builtin_types
from kfp_sdg.spec.surely_right import surely_right

WHOLE = [
    *({k: v for k, v in block_schema(name).items() if k != "allOf"} for name in builtin_types()),
    *(
        taxonomy_schema(version, name)
        for version in schema_versions()
        for name in ("compositional_skills", "knowledge")
    ),
]


def parts(schema: Any) -> list[dict[str, Any]]:
    """Return a schema and all schemas inside it."""
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    found = [part for rule in inner if isinstance(rule, dict) for part in parts(rule)]
    return [schema, *found]


SCHEMAS = [part for schema in WHOLE for part in parts(schema)]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.sampled_from([0.0, 1.0, 0.5, 1e300]),
    st.sampled_from(["", " ", "a", "é", "custom", "eq", "int", "scaled", "scaled/3", "scaled*0"]),
)


def values_for(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that are right about as often as wrong."""
    keys = schema.get("properties", {})
    items = values_for(schema["items"]) if "items" in schema else SCALARS
    right = {key: values_for(rule) for key, rule in keys.items()}
    must = {key: right[key] for key in schema.get("required", ()) if key in right}
    rest = {key: rule for key, rule in right.items() if key not in must}
    return st.one_of(
        SCALARS,
        st.sampled_from(schema.get("enum", [None])),
        st.lists(items, max_size=4),
        st.fixed_dictionaries(must, optional=rest),
        st.dictionaries(st.sampled_from([*keys, "other"]), SCALARS, max_size=3),
        *(values_for(branch) for branch in schema.get("anyOf", ())),
    )


@given(st.data())
def test_what_is_surely_right_is_right_for_jsonschema(data):
    schema = data.draw(st.sampled_from(SCHEMAS))
    value = data.draw(values_for(schema))
    if surely_right(value, schema):
        assert list(Draft202012Validator(schema).iter_errors(value)) == []


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "integer"}),
        (True, {"enum": [1]}),
        ([1, True], {"uniqueItems": True}),
        ({"a": 1}, {"properties": {"b": {}}, "additionalProperties": False}),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}),
        ("x", {"pattern": "y"}),
        ("", {"minLength": 1}),
        ([], {"minItems": 1}),
        ({}, {"required": ["a"]}),
        (1, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (1, {"minimum": 0}),
        ({"a": 1}, {"patternProperties": {"a": {}}, "additionalProperties": False}),
        (1, {"type": "integer", "a word of the next draft": 1}),
    ],
)
def test_what_is_wrong_or_not_known_here_is_for_jsonschema(value, schema):
    assert not surely_right(value, schema)


def test_the_shipped_pipelines_need_no_jsonschema():
    code = """
import sys
from pathlib import Path
from kfp_sdg import pipelines
from kfp_sdg.spec import load_pipeline
(folder,) = map(Path, pipelines.__path__)
files = [file for file in folder.glob("instructlab/*/*.yaml") if file.parts[-2] != "configs"]
for file in files:
    load_pipeline(file)
print(len(files) > 9, "jsonschema" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
