"""Prompt configs, templates, tags and patterns are checked before a token is paid for."""

from __future__ import annotations

import pytest

from spec_helpers import PROMPT, block, load, only_problem, pipeline, place, problems, where

PARTS = ["system", "introduction", "principles", "examples", "generation"]


def ask(config: str = "", columns: str = "[q]", kind: str = "LLMBlock") -> str:
    return pipeline(
        block("ask", kind, f"config_path: prompt.yaml\noutput_cols: {columns}\n{config}")
    )


def prompt_problem(tmp_path, prompt, text=None):
    (tmp_path / "prompt.yaml").write_text(prompt)
    problem = only_problem(tmp_path, text or ask())
    assert problem.block == "ask"
    return problem


@pytest.mark.parametrize("part", PARTS)
def test_a_prompt_config_without_a_needed_key_is_refused(tmp_path, part):
    prompt = "".join(f"{key}: x\n" for key in PARTS if key != part)
    problem = prompt_problem(tmp_path, prompt + 'start_tags: [""]\nend_tags: [""]\n')
    assert problem.code == "missing-key"
    assert problem.where.file == str(tmp_path / "prompt.yaml")
    assert place(problem) == (1, 1)
    assert repr(part) in problem.message
    assert part in problem.expected


def test_a_misspelt_part_of_a_prompt_is_pointed_at(tmp_path):
    problem = prompt_problem(tmp_path, PROMPT.replace("principles", "principals"))
    assert problem.suggestion == "is 'principals' meant for it?"


def test_empty_parts_further_keys_and_numbers_are_no_error(tmp_path):
    prompt = "system:\nintroduction: ~\nprinciples: ''\nexamples: 3\ngeneration: x\nmine: [1]\n"
    (tmp_path / "prompt.yaml").write_text(prompt + 'start_tags: [""]\nend_tags: [""]\n')
    assert load(tmp_path, ask()).warnings == ()


def test_a_part_that_is_a_list_is_refused(tmp_path):
    problem = prompt_problem(tmp_path, PROMPT.replace("examples:", "examples: [a, b]"))
    assert (problem.code, place(problem)) == ("wrong-type", (4, 1))
    assert problem.expected == "text"


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ('start_tags: ["[Q]"]\n', "tag-count"),
        ('start_tags: ["[Q]"]\nend_tags: []\n', "tag-count"),
        ('start_tags: ["[Q]"]\nend_tags: ["a", "b"]\n', "tag-count"),
        ('start_tags: "[Q]"\nend_tags: ["a"]\n', "wrong-type"),
        ('start_tags: ["[Q]"]\nend_tags: [3]\n', "wrong-type"),
    ],
)
def test_tags_that_do_not_pair_are_refused(tmp_path, tags, code):
    prompt = PROMPT[: PROMPT.index("start_tags")] + tags
    problem = prompt_problem(tmp_path, prompt)
    assert problem.code == code
    assert problem.where.file == str(tmp_path / "prompt.yaml")
    assert problem.where.line >= PROMPT.count("\n") - 1


@pytest.mark.parametrize(
    ("old", "new", "needle", "said"),
    [
        ("Topic: {{ topic }}", "Topic: {{ topic | nosuch }}", "{{ topic | nosuch", "nosuch"),
        ("Topic: {{ topic }}", "{{ topic | uper }}", "{{ topic | uper", "'upper'?"),
        ("Topic: {{ topic }}", "{% if topic is defned %}{% endif %}", "{% if", "'defined'?"),
        ("  Question:", "  {% if topic %}", "{% if", "end of template"),
        ("about {{ topic }}.", "about {{ topic.", "{{ topic.", "expected name"),
        ("Question:", "Question {{ a b }}:", "{{ a b", "'b'"),
    ],
)
def test_broken_jinja_is_told_with_its_line_in_the_prompt_config(tmp_path, old, new, needle, said):
    prompt = PROMPT.replace(old, new, 1)
    problem = prompt_problem(tmp_path, prompt)
    assert problem.code == "jinja"
    assert place(problem) == where(prompt, needle)
    assert said in problem.message
    assert "{% raw %}" in problem.suggestion


def test_what_one_part_opens_another_may_close(tmp_path):
    prompt = PROMPT.replace("examples:", "examples: '{% if a %}'").replace(
        "  Question:", "  {% endif %}"
    )
    (tmp_path / "prompt.yaml").write_text(prompt)
    assert load(tmp_path, ask()).files


def test_checking_a_template_computes_nothing(tmp_path):
    (tmp_path / "prompt.yaml").write_text(
        PROMPT.replace("{{ topic }}", "{{ 9 ** (9 ** (9 ** 9)) }}")
    )
    assert load(tmp_path, ask()).files


def test_every_part_with_a_broken_template_is_told(tmp_path):
    prompt = PROMPT.replace("You are brief.", "'{{ a'").replace("Question:", "{% nosuch %}")
    (tmp_path / "prompt.yaml").write_text(prompt)
    found = problems(tmp_path, ask())
    assert [place(p) for p in found] == [(1, 10), where(prompt, "{% nosuch")]


def test_more_columns_than_tags_are_refused_where_tags_are_what_parses(tmp_path):
    text = ask(columns="[q, a]")
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("tag-count", "ask")
    assert place(problem) == where(text, "output_cols")
    custom = "parser_kwargs: {parser_name: custom, parsing_pattern: '(.*);(.*)'}\n"
    assert load(tmp_path, ask(custom, columns="[q, a]"))


def test_a_prompt_without_tags_needs_a_pattern(tmp_path):
    untagged = PROMPT[: PROMPT.index("start_tags")]
    problem = prompt_problem(tmp_path, untagged)
    assert problem.code == "tag-count"
    assert 'start_tags: [""]' in problem.suggestion
    assert load(tmp_path, ask(kind="LLMLogProbBlock")), "its answers are not parsed"


def test_no_output_columns_at_all_are_refused(tmp_path):
    assert only_problem(tmp_path, ask(columns="[]")).message == "'output_cols' is an empty list"


def test_a_broken_regex_is_told_at_the_pattern(tmp_path):
    text = ask("parser_kwargs:\n  parser_name: custom\n  parsing_pattern: '(a'\n")
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("regex", "ask")
    assert place(problem) == where(text, "parsing_pattern")
    assert "missing )" in problem.message


def test_a_pattern_needs_a_group_for_each_column(tmp_path):
    text = ask("parser_kwargs: {parser_name: custom, parsing_pattern: '(a)b'}\n", "[q, a]")
    problem = only_problem(tmp_path, text)
    assert (problem.code, place(problem)) == ("regex-groups", where(text, "parsing_pattern"))
    assert "1 groups for 2 output_cols" in problem.message


def test_a_custom_parser_needs_a_pattern(tmp_path):
    text = ask("parser_kwargs: {parser_name: custom}\n")
    problem = only_problem(tmp_path, text)
    assert (problem.code, place(problem)) == ("missing-key", where(text, "parser_name"))
    assert "parsing_pattern" in problem.expected


def test_a_pattern_that_no_parser_uses_is_an_error_here_as_in_the_block(tmp_path):
    problem = only_problem(tmp_path, ask("parser_kwargs: {parsing_pattern: '(a)'}\n"))
    assert problem.suggestion == "add parser_name: custom"


def test_a_broken_model_prompt_is_told_at_its_place(tmp_path):
    text = ask('model_prompt: "<s> {{ prompt"\n')
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("jinja", "ask")
    assert place(problem) == where(text, "{{ prompt")


@pytest.mark.parametrize(
    ("model_prompt", "said"),
    [
        ("<s> [INST] {prompt} [/INST]", "has {prompt}, which is no variable"),
        ("<s>{{ add_generation_prompt }}", "leaves the prompt out"),
    ],
)
def test_a_model_prompt_without_the_prompt_is_an_error_here_as_in_the_block(
    tmp_path, model_prompt, said
):
    text = ask(f"model_prompt: '{model_prompt}'\n")
    problem = only_problem(tmp_path, text)
    assert (problem.block, place(problem)) == ("ask", where(text, "model_prompt"))
    assert said in problem.message
    assert problem.suggestion == "write {{prompt}} where the prompt belongs"


@pytest.mark.parametrize(
    "model_prompt",
    ["'{{prompt}}'", "''", "", "'{% for m in messages %}{{ m.content }}{% endfor %}'"],
)
def test_a_model_prompt_that_is_right_is_left_alone(tmp_path, model_prompt):
    assert load(tmp_path, ask(f"model_prompt: {model_prompt}\n")).warnings == ()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ("[]", "'config_paths' is an empty list"),
        ("[[prompt.yaml]]", "has 1 parts"),
        ("[[prompt.yaml, a, b]]", "has 3 parts"),
        ("[[prompt.yaml, a], [prompt.yaml, a]]", "'a' is there twice"),
        ("[prompt.yaml]", "an entry of 'config_paths' is the text 'prompt.yaml'"),
    ],
)
def test_the_paths_of_a_conditional_block_must_be_pairs(tmp_path, pairs, said):
    config = f"config_paths: {pairs}\noutput_cols: [q]\nselector_column_name: s\n"
    problem = only_problem(tmp_path, pipeline(block("ask", "ConditionalLLMBlock", config)))
    assert problem.block == "ask"
    assert problem.where.line == 6
    assert said in problem.message


def test_prompts_of_an_inner_block_are_checked_too(tmp_path):
    config = "num_iters: 2\nblock_type: LLMBlock\nconfig_path: prompt.yaml\noutput_cols: [q, a]\n"
    problem = only_problem(tmp_path, pipeline(block("again", "IterBlock", config)))
    assert (problem.code, problem.block) == ("tag-count", "again")
