from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.errors import BlockError, Position, SpecError
from kfp_sdg.runtime.encoding import config_inputs, decode_config, dump_json, encode_config
from kfp_sdg.spec.model import SourceMap

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from('{}\\"$')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='{}\\"ab'), inner),
    max_leaves=20,
)


class Block:
    def __init__(
        self,
        ctx: PipelineContext,  # noqa: F821 - blocks import it for type checkers only
        pipe: PipelineSpec,  # noqa: F821
        block_name: str,
        *,
        column: str,
        columns: list[str],
        times: int = 2,
        share: float = 0.5,
        strict: bool = False,
        how: Literal["all", "any"] = "all",
        kind: Literal["int", "float"] | None = None,
        model_id: str | None = None,
        model_prompt: str | None = None,
        separator: str = "\n\n",
        value: Any = None,
        extra: dict[str, str] | None = None,
    ) -> None: ...


class Gathering:
    def __init__(self, ctx, pipe, block_name, *, block_type: str, **config: Any) -> None: ...


INPUTS = config_inputs(Block)
FULL = {
    "column": "question",
    "columns": ["a", "b"],
    "times": 3,
    "share": 1.0,
    "strict": True,
    "how": "any",
    "kind": "int",
    "model_id": "m",
    "model_prompt": "<s>{{ prompt }}",
    "separator": " ",
    "value": [1, "x", None],
    "extra": {"{{a}}": "}}"},
}
REQUIRED = {"column": "question", "columns": ["a"]}


def encode(config, inputs=INPUTS):
    return encode_config(config, inputs, block_name="b")


def decode(values, inputs=INPUTS):
    return decode_config(values, inputs, block_name="b")


@given(JSON)
def test_any_json_value_survives_without_a_brace_that_a_template_engine_would_see(value):
    text = dump_json(value)
    assert json.loads(text) == value
    assert "{{" not in text
    assert "}}" not in text
    assert "\n" not in text


def test_braces_are_escaped_inside_strings_only():
    assert dump_json({"a": {"b": "{{x}}"}}) == (r'{"a": {"b": "\u007b\u007bx\u007d\u007d"} }')


def test_nan_is_not_json():
    with pytest.raises(SpecError, match="'value' is not a JSON value"):
        encode({**REQUIRED, "value": float("nan")})


def test_settings_survive_the_way_to_a_component_and_back():
    assert decode(encode(FULL)) == FULL


def test_the_inputs_have_the_types_that_a_run_form_can_show():
    assert encode(FULL) == {
        "column": "question",
        "columns": '["a", "b"]',
        "times": 3,
        "share": 1.0,
        "strict": True,
        "how": "any",
        "kind": "int",
        "block_model_id": "m",
        "model_prompt": r'"<s>\u007b\u007b prompt \u007d\u007d"',
        "separator": '" "',
        "value": '[1, "x", null]',
        "extra": r'{"\u007b\u007ba\u007d\u007d": "\u007d\u007d"}',
    }


def test_the_defaults_of_the_inputs_mean_the_defaults_of_the_block():
    given = {entry.name: entry.default for entry in INPUTS if entry.default is not None}
    config = decode({**encode(REQUIRED), **given})
    assert config == {
        **REQUIRED,
        "times": 2,
        "share": 0.5,
        "strict": False,
        "how": "all",
        "separator": "\n\n",
    }


def test_not_given_is_not_none():
    assert encode(REQUIRED).keys() == {"column", "columns"}
    assert "value" not in decode(encode(REQUIRED))
    assert decode(encode({**REQUIRED, "value": None}))["value"] is None


def test_an_empty_model_prompt_is_not_none():
    assert decode(encode({**REQUIRED, "model_prompt": ""}))["model_prompt"] == ""


def test_a_whole_number_written_as_a_float_is_an_integer():
    assert encode({**REQUIRED, "times": 2.0})["times"] == 2
    assert decode({**encode(REQUIRED), "times": 3.0})["times"] == 3


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("times", 1.5, "'times' must be a whole number, not 1.5"),
        ("times", float("inf"), "'times' must be a whole number, not inf"),
        ("times", True, "'times' must be a whole number, not True"),
        ("share", "half", "'share' must be a number, not 'half'"),
        ("strict", "yes", "'strict' must be true or false, not 'yes'"),
        ("column", 3, "'column' must be a text, not 3"),
        ("column", None, "'column' must be a text, not None"),
        ("columm", "x", "the component has no input for 'columm'"),
    ],
)
def test_a_setting_that_does_not_fit_is_an_error(key, value, message):
    with pytest.raises(SpecError, match=message):
        encode({**REQUIRED, key: value})


def test_a_plain_text_with_two_opening_braces_is_refused_with_its_place():
    source = SourceMap(Position("p.yaml"), {("config", "column"): Position("p.yaml", 7, 5)})
    with pytest.raises(SpecError, match=r"p.yaml:7:5: block 'b': 'column' must not hold two"):
        encode_config({**REQUIRED, "column": "{{x}}"}, INPUTS, block_name="b", source=source)


def test_all_settings_that_do_not_fit_are_told_at_once():
    with pytest.raises(SpecError) as caught:
        encode({"column": 1, "columns": ["a"], "times": "x", "unknown": 1})
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"column": "a"}, "component input 'columns' is empty"),
        ({"column": "a", "columns": ""}, "component input 'columns' is empty"),
        ({"column": "a", "columns": "question"}, "component input 'columns' is not JSON"),
        ({"column": "a", "columns": "[]", "rows": 1}, "unknown component inputs rows"),
    ],
)
def test_an_input_that_is_wrong_is_an_error_that_names_the_block(values, message):
    with pytest.raises(BlockError, match=f"block 'b': {message}"):
        decode(values)


def test_settings_without_an_input_of_their_own_are_gathered():
    inputs = config_inputs(Gathering)
    config = {"n": 2, "block_type": "LLMBlock", "model_id": "m"}
    values = encode(config, inputs)
    assert values == {"block_type": "LLMBlock", "config": '{"n": 2, "model_id": "m"}'}
    assert decode(values, inputs) == config
    assert encode({"block_type": "X"}, inputs) == {"block_type": "X", "config": "{}"}
