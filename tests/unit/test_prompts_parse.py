"""Parsers: rows out of answers, and a word about everything that is no row."""

from __future__ import annotations

import pytest

from kfp_sdg.prompts import Parsed, PatternParser, PromptError, TagParser

# The pattern of InstructLab's full knowledge pipeline.
PAIRS = (
    r"\[(?:Question|QUESTION)\]\s*(.*?)\s*\[(?:Answer|ANSWER)\]\s*(.*?)\s*"
    r"(?=\[(?:Question|QUESTION)\]|$)"
)


def tags(*pairs: tuple[str, str]) -> TagParser:
    return TagParser([f"c{i}" for i in range(len(pairs))], *map(list, zip(*pairs, strict=True)))


def test_every_tagged_value_is_a_row_and_stripped():
    assert tags(("[Q]", "[/Q]")).parse("x [Q] one [/Q] y\n[Q]\ntwo\nlines\n[/Q]") == Parsed(
        ({"c0": "one"}, {"c0": "two\nlines"})
    )


def test_the_ith_values_of_all_columns_make_a_row():
    parser = tags(("[E]", "[/E]"), ("[S]", "[/S]"))
    assert parser.parse("[E]a[/E][S]1[/S] [E]b[/E][S]2[/S]").rows == (
        {"c0": "a", "c1": "1"},
        {"c0": "b", "c1": "2"},
    )


def test_tags_are_text_and_no_pattern():
    assert tags(("(*", "*)")).parse("(* a.b *)").rows == ({"c0": "a.b"},)


def test_without_tags_the_whole_answer_is_the_value():
    assert tags(("", "")).parse("  all of it\n") == Parsed(({"c0": "all of it"},))


def test_an_end_tag_may_be_the_start_tag_of_the_next_column():
    assert tags(("[Q]", "[A]"), ("[A]", "[End]")).parse("[Q] a [A] b [End]").rows == (
        {"c0": "a", "c1": "b"},
    )


def test_without_an_end_tag_a_value_runs_to_the_next_start_tag_or_the_end():
    assert tags(("Q:", ""), ("A:", "")).parse("Q: a\nA: b\nQ: c\nA: d").rows == (
        {"c0": "a", "c1": "b"},
        {"c0": "c", "c1": "d"},
    )


def test_without_a_start_tag_a_value_is_what_stands_before_the_end_tag():
    assert tags(("", "###")).parse("a ### b ### c").rows == ({"c0": "a"}, {"c0": "b"})


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        ("[E] a [/E]", "nothing for 'c1' between '[S]' and '[/S]'"),
        (
            "hello",
            "nothing for 'c0' between '[E]' and '[/E]'; nothing for 'c1' between '[S]' and '[/S]'",
        ),
        ("[E] a [/E] [S] 1", "nothing for 'c1' between '[S]' and '[/S]'"),
    ],
)
def test_an_answer_that_lacks_a_column_is_a_failure_without_rows(text, failure):
    assert tags(("[E]", "[/E]"), ("[S]", "[/S]")).parse(text) == Parsed((), failure)


def test_of_unequal_numbers_of_values_the_complete_rows_stay_and_the_rest_is_told():
    parser = tags(("[E]", "[/E]"), ("[S]", "[/S]"))
    assert parser.parse("[E]a[/E][S]1[/S][E]b[/E]") == Parsed(
        ({"c0": "a", "c1": "1"},),
        "unequal numbers of values: 2 for 'c0', 1 for 'c1'; 1 rows were complete",
    )


def test_a_value_that_was_cut_is_told_beside_the_complete_rows():
    assert tags(("[Q]", "[/Q]")).parse("[Q]a[/Q] [Q]b") == Parsed(
        ({"c0": "a"},), "after 1 rows a start tag for 'c0' has no end tag"
    )


def test_a_column_without_tags_is_refused_and_spare_tags_are_not():
    with pytest.raises(PromptError, match="output_cols has 2 columns"):
        TagParser(["a", "b"], ["[A]"], ["[/A]"])
    assert TagParser(["a"], ["[A]", "[B]"], ["[/A]", "[/B]"]).parse("[A]x[/A]").rows == (
        {"a": "x"},
    )


def test_each_match_of_a_pattern_is_a_row_without_cleanup_tags_and_spaces():
    parser = PatternParser(["q", "a"], PAIRS, ["[END]"])
    text = "[Question] One?\n[Answer] Yes\n[END]\n\n[QUESTION]Two?[ANSWER]No [END]"
    assert parser.parse(text) == Parsed(({"q": "One?", "a": "Yes"}, {"q": "Two?", "a": "No"}))


@pytest.mark.parametrize("pattern", [r"<b>(.*?)</b>", r"(?<=<b>).*?(?=</b>)"])
def test_a_pattern_with_one_group_or_none_fills_one_column(pattern):
    assert PatternParser(["x"], pattern).parse("<b>1</b><b>2</b>").rows == ({"x": "1"}, {"x": "2"})


def test_a_group_that_took_no_part_is_empty_text():
    assert PatternParser(["x", "y"], r"(a)|(b)").parse("b").rows == ({"x": "", "y": "b"},)


def test_a_match_of_nothing_is_no_row():
    assert PatternParser(["x"], "(.*)").parse("all") == Parsed(({"x": "all"},))


def test_a_pattern_that_does_not_match_is_a_failure():
    assert PatternParser(["x"], "(Z)").parse("abc") == Parsed(
        (), "parsing_pattern matches nothing in it"
    )


def test_a_pattern_that_never_ends_is_stopped():
    parsed = PatternParser(["x"], r"((?:a|b|ab)+)[cd]").parse("c" + "ab" * 60)
    assert parsed == Parsed((), "parsing_pattern took more than 1 s on this answer")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "is not a regular expression: missing \\)"), ("(a)", "has 1 groups for 2 output_cols")],
)
def test_a_pattern_that_cannot_work_is_refused(pattern, message):
    with pytest.raises(PromptError, match=message):
        PatternParser(["x", "y"], pattern)
