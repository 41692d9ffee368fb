"""Grammars: what a server that obeys them may write, the tag parser reads."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest

from kfp_sdg.prompts import TagParser, derive_grammar

UPSTREAM_TAGS = {
    "question": ([("[Start of Question]", "[End of Question]")], 1),
    "questions": ([("[Start of Question]", "[End of Question]")], 3),
    "response": ([("[Start of Response]", "[End of Response]")], 1),
    "evaluation": (
        [
            ("[Start of Explanation]", "[End of Explanation]"),
            ("[Start of Score]", "[End of Score]"),
        ],
        1,
    ),
    "shared": ([("[Question]", "[Answer]"), ("[Answer]", "[End]")], 1),
    "words": ([("Question:", "Answer:"), ("Answer:", "###")], 1),
    "quotes": ([('"', '"')], 1),
    "open": ([("Q:", ""), ("A:", "")], 1),
}


def rules(grammar: str) -> dict[str, str]:
    return dict(line.split(" ::= ", 1) for line in grammar.splitlines())


def test_any_text_parses_without_tags_so_there_is_no_grammar():
    assert derive_grammar([""], [""], max_tokens=100) is None


def test_an_entry_is_its_tags_with_values_between():
    made = rules(derive_grammar(["[A]", "[B]"], ["[/A]", "[/B]"], max_tokens=100))
    assert made["root"] == "entry"
    assert made["entry"] == '"[A]" gap value "[/A]" gap "[B]" gap value "[/B]"'


def test_an_end_tag_that_starts_the_next_column_is_written_once():
    made = rules(derive_grammar(["[Q]", "[A]"], ["[A]", "[End]"], max_tokens=100))
    assert made["entry"] == '"[Q]" gap value "[A]" gap value "[End]"'


def test_tags_are_escaped():
    made = rules(derive_grammar(['a"b\\'], ["\n]-^"], max_tokens=100))
    assert made["entry"] == r'"a\"b\\" gap value "\n]-^"'
    assert made["piece"].startswith(r"[^\n\r\]a]")


def test_several_rows_are_asked_for_only_with_one_pair_of_tags():
    one = rules(derive_grammar(["[Q]"], ["[/Q]"], max_tokens=4096, entries=30))
    assert one["root"] == "entry (gap entry){29,29}"
    two = rules(derive_grammar(["[Q]", "[A]"], ["[/Q]", "[/A]"], max_tokens=4096, entries=30))
    assert two["root"] == "entry"


def test_rows_that_may_not_fit_are_allowed_and_not_forced():
    made = rules(derive_grammar(["[Q]"], ["[/Q]"], max_tokens=100, entries=30))
    assert made["root"] == "entry (gap entry){2,29}"


@pytest.mark.parametrize("max_tokens", [60, 160, 512, 4096])
def test_the_longest_answer_ends_within_its_tokens_at_two_characters_each(max_tokens):
    made = rules(derive_grammar(["[S]"], ["[/S]"], max_tokens=max_tokens))
    chunks = sum(name.startswith("text") for name in made) - 1
    rest = int(re.fullmatch(r"piece\{0,(\d+)\}", made["text0"])[1])
    longest = len("[S]") + 2 + 1 + 100 * chunks + rest + len("[/S]")
    assert max_tokens * 2 - 4 < longest <= max_tokens * 2


def test_a_short_value_stays_on_one_line_without_signs_of_tags_and_a_long_one_need_not():
    short, long = (
        rules(derive_grammar(["[S]"], ["[/S]"], max_tokens=n))["piece"] for n in (100, 400)
    )
    assert short == r"[^\n\r\[]"
    assert long == r"""[^\[] | "[" ([^/S\[])"""


def test_words_may_begin_like_a_tag_that_is_a_word():
    made = rules(derive_grammar(["Q:"], ["A:"], max_tokens=400))
    assert made["piece"] == """[^AQ] | "A" ([^:AQ]) | "Q" ([^:AQ])"""


@pytest.mark.embedded
@pytest.mark.parametrize("case", UPSTREAM_TAGS)
@pytest.mark.parametrize("path", ["completions", "chat/completions"])
def test_a_real_server_that_obeys_a_derived_grammar_gives_answers_that_parse(
    embedded_url, case, path
):
    pairs, entries = UPSTREAM_TAGS[case]
    starts, ends = ([pair[i] for pair in pairs] for i in (0, 1))
    grammar = derive_grammar(starts, ends, max_tokens=140, entries=entries)
    ask = "Is the sea salty? Write a question about it, and explain."
    body = {
        "model": "any",
        "max_tokens": 600,  # this model may fill a value with tokens of one character
        "temperature": 0.7,
        "seed": 7,
        "n": 2,
        "grammar": grammar,
        "structured_outputs": {"grammar": grammar},
        **({"prompt": ask} if path == "completions" else {"messages": [_user(ask)]}),
    }
    parser = TagParser([f"c{i}" for i in range(len(pairs))], starts, ends)
    for text in _post(f"{embedded_url.rstrip('/')}/{path}", body):
        parsed = parser.parse(text)
        assert 1 <= len(parsed.rows) <= entries, text
        assert parsed.failure is None, text


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _post(url: str, body: dict) -> list[str]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        choices = json.load(answer)["choices"]
    return [choice.get("text") or choice["message"]["content"] for choice in choices]
