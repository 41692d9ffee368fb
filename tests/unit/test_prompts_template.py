"""Templates: the sandbox, None as empty text, and a missing variable named."""

from __future__ import annotations

import pytest

from kfp_sdg.prompts import PromptConfig, PromptError, PromptTemplate
from kfp_sdg.spec import ConfigFile, SpecError

PARTS = ("system", "introduction", "principles", "examples", "generation")


def config(**content: object) -> PromptConfig:
    return PromptConfig.from_file(ConfigFile("p.yaml", {**dict.fromkeys(PARTS), **content}))


def test_a_none_renders_as_no_text():
    assert PromptTemplate("<{{ a }}>").render(a=None) == "<>"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ a | trim }}", ""),
        ("{{ 'p' ~ a }}", "p"),
        ("{{ a | upper }}{% for x in a %}{{ x }}{% endfor %}", ""),
        ("{{ a or 'no' }} {{ a | default('no', true) }}", "no no"),
        ("{% if a is none %}none{% endif %}{% if a is not none %}some{% endif %}", "none"),
        ("{% if b is none %}none{% endif %}{{ [b, a] | length }}", "2"),
    ],
)
def test_a_none_is_no_text_behind_filters_either_and_still_none(source, text):
    assert PromptTemplate(source).render({"a": None, "b": ""}) == text


def test_single_braces_stay():
    assert PromptTemplate("{a} {{ a }}").render(a=1) == "{a} 1"


def test_a_missing_variable_is_named():
    with pytest.raises(PromptError, match="'documnt' is undefined"):
        PromptTemplate("{{ documnt }}").render(document="x")


def test_a_template_cannot_reach_the_interpreter():
    attack = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
    with pytest.raises(PromptError, match="SecurityError"):
        PromptTemplate(attack).render()


def test_a_template_cannot_change_its_values():
    rows = [1]
    with pytest.raises(PromptError, match="SecurityError"):
        PromptTemplate("{{ rows.append(2) }}").render(rows=rows)
    assert rows == [1]


def test_a_broken_template_is_an_error_with_its_line():
    with pytest.raises(PromptError, match="line 2"):
        PromptTemplate("ok\n{% if %}")


def test_an_expression_that_fails_on_its_values_is_a_prompt_error():
    with pytest.raises(PromptError, match="ZeroDivisionError"):
        PromptTemplate("{{ 1 // a }}").render(a=0)


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ("{{ a }} {{ b.c }}", {"a", "b"}),
        ("{% if a %}{{ b }}{% endif %}", {"a"}),
        ("{% for x in xs %}{{ x }}{{ y }}{% endfor %}", {"xs"}),
        ("{{ a if b else c }}", {"b"}),
        ("{{ a or b }}", {"a"}),
        ("{% if a is defined %}1{% endif %}{{ b | default('') }}", set()),
        ("{% set a = 1 %}{{ a }}", set()),
        ("{{ range(3) }}", set()),
        ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b) }}", {"b"}),
    ],
)
def test_only_what_every_rendering_reads_is_required(source, required):
    assert PromptTemplate(source).required == required


def test_a_config_is_its_five_parts_a_line_each():
    made = config(system="S", introduction="I", generation="{{ q }}")
    assert made.template.render(q="Q") == "S\nI\n\n\nQ"


def test_a_config_needs_all_five_parts_and_names_every_missing_one():
    with pytest.raises(SpecError) as error:
        PromptConfig.from_file(ConfigFile("p.yaml", {"system": "", "generation": ""}))
    assert [p.message for p in error.value.problems] == [
        f"prompt config without {part!r}" for part in ("introduction", "principles", "examples")
    ]


def test_a_config_ignores_keys_that_are_not_its_own():
    assert config(author="me", start_tags=None).start_tags == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"system": ["x"]}, "'system' is not text"),
        ({"start_tags": "[A]"}, "'start_tags' is not a list"),
        ({"start_tags": ["[A]"]}, "1 start_tags but 0 end_tags"),
    ],
)
def test_a_config_with_the_wrong_kind_of_value_is_refused(content, message):
    with pytest.raises(SpecError, match=message.replace("[", r"\[")):
        config(**content)


@pytest.mark.parametrize(
    "source",
    ["{{ 9 ** (9 ** (9 ** 9)) }}", "{{ 'x' * 99999999 }}", "{{ 10 ** 3 }}", "{{ [1] * n }}"],
)
def test_arithmetic_that_could_take_for_ever_is_refused_at_once(source: str) -> None:
    with pytest.raises(PromptError, match="in a prompt"):
        PromptTemplate(source).render(n=10)


def test_numbers_may_be_multiplied() -> None:
    assert PromptTemplate("{{ n * 2 }} {{ 1.5 * n }}").render(n=4) == "8 6.0"
