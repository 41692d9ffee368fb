"""What is wrong in a qna.yaml is told with its line, all of it, and nothing that is right."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.instructlab.model import QuestionAnswer
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import (
    KNOWLEDGE,
    SKILL,
    knowledge,
    only_problem_in,
    place,
    problems_in,
    problems_of,
    skill,
    warnings_of,
    write_leaf,
)


def test_all_problems_of_a_broken_file_are_told_and_good_files_are_not_blamed(tmp_path):
    write_leaf(tmp_path, SKILL, skill())
    write_leaf(tmp_path, KNOWLEDGE, knowledge())
    broken = skill(4).replace("created_by", "creator").replace("answer: Answer 2.", "reply: 2  ")
    file = write_leaf(tmp_path, "compositional_skills/writing/odes", broken)

    problems = problems_of(tmp_path)

    assert {problem.where.file for problem in problems} == {str(file)}
    assert [place(problem) for problem in problems] == [
        (1, 1),
        (2, 1),
        (4, 1),
        (7, 5),
        (8, 5),
        (8, 13),
    ]


def test_the_problems_of_all_files_come_sorted_by_file_and_line(tmp_path):
    write_leaf(tmp_path, SKILL, skill(4).replace("Answer 3.", "'  '"))
    write_leaf(tmp_path, KNOWLEDGE, "a: [")

    problems = problems_of(tmp_path)

    places = [(p.where.file, *place(p)) for p in problems]
    assert places == sorted(places)
    assert len({file for file, *_ in places}) == 2


def test_four_seed_examples_are_refused_with_their_line(tmp_path):
    problem = only_problem_in(tmp_path, skill(4))

    assert place(problem) == (4, 1)
    assert str(problem).endswith(
        "qna.yaml:4:1: 'seed_examples' has only 4 entries; expected a list of mappings with at "
        "least 5 entries"
    )


@pytest.mark.parametrize("pairs", [1, 2])
def test_one_or_two_pairs_are_enough(tmp_path, pairs):
    write_leaf(tmp_path, KNOWLEDGE, knowledge(pairs=(pairs,)))

    (leaf,) = read_taxonomy(tmp_path)

    assert {len(example.pairs) for example in leaf.seed_examples} == {pairs}


def test_a_seed_example_without_a_pair_is_refused(tmp_path):
    text = knowledge(pairs=(0, 3)).replace(
        "questions_and_answers:\n  -", "questions_and_answers: []\n  -"
    )
    problem = only_problem_in(tmp_path, text, KNOWLEDGE)

    assert place(problem) == (12, 5)
    assert problem.expected == "a list of mappings with at least one entry"


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("4", "there is no version 4 of the schema; expected one of 1, 2, 3"),
        ("0", "there is no version 0 of the schema; expected one of 1, 2, 3"),
        ("true", "'version' is true; expected one of 1, 2, 3"),
        ("", "'version' is empty; expected one of 1, 2, 3"),
        ("'3'", "'version' is the text '3'; expected one of 1, 2, 3"),
        ("three", "'version' is the text 'three'; expected one of 1, 2, 3"),
        ("[3]", "'version' is a list; expected one of 1, 2, 3"),
    ],
)  # fmt: skip
def test_a_version_that_there_is_not_is_refused_with_those_there_are(tmp_path, version, says):
    problem = only_problem_in(tmp_path, skill().replace("version: 3", f"version: {version}"))

    assert f"qna.yaml:1:1: {says}" in str(problem)


@pytest.mark.parametrize("version", [1, 2])
def test_knowledge_of_the_versions_without_contexts_says_how_to_write_it_now(tmp_path, version):
    text = skill(version=version) + "domain: x\ndocument: {repo: r, commit: c, patterns: ['*']}\n"
    problem = only_problem_in(tmp_path, text, KNOWLEDGE)

    assert f"knowledge of version {version} of the schema is no longer supported" in str(problem)
    assert problem.expected == "version 3"
    assert "document_outline" in problem.suggestion


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("", "empty", (0, 0)),
        ("# nothing yet\n", "empty", (0, 0)),
        ("- a\n- b\n", "not-a-mapping", (1, 1)),
        ("just a text\n", "not-a-mapping", (1, 1)),
        (skill().encode() + b"# caf\xe9\n", "not-utf8", (15, 6)),
        (skill().replace("Answer 2.", "*none"), "alias", (8, 13)),
        (skill() + "---\na: b\n", "several-documents", (15, 1)),
        (skill().replace("    answer: Answer 2.", "\tanswer: Answer 2."), "tab", (8, 1)),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n"
            for i in range(9)), "alias-bomb", None),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_is_refused_where_it_stops_making_sense(
    tmp_path, text, code, where
):
    problem = only_problem_in(tmp_path, text)

    assert problem.code == code
    assert where in (None, place(problem))


@pytest.mark.parametrize("text", ["''", "'   '", "|2\n\n", '"\\n\\t"'])
@pytest.mark.parametrize("key", ["question", "answer"])
def test_a_question_or_answer_of_nothing_but_white_space_is_refused(tmp_path, key, text):
    written = skill().replace(f"{key}: {key.capitalize()} 1{'?' * (key == 'question')}", "KEY", 1)
    written = written.replace("KEY.", "KEY").replace("KEY", f"{key}: {text}")
    problem = problems_in(tmp_path, written)[0]

    assert place(problem) == (5, 5) if key == "question" else (6, 5)
    assert key in problem.message


def test_the_same_seed_example_twice_is_refused_at_the_second(tmp_path):
    text = skill(6).replace("Question 4?", "Question 2?").replace("Answer 4.", "Answer 2.")
    problem = only_problem_in(tmp_path, text)

    assert place(problem) == (11, 5)
    assert str(problem).endswith(
        "this entry of 'seed_examples' is written twice (the first one is on line 7)"
    )


def test_the_same_question_twice_with_other_answers_is_warned_of(tmp_path, caplog):
    file = write_leaf(tmp_path, SKILL, skill().replace("Question 4?", "Question 2?"))

    _, warnings = warnings_of(caplog, tmp_path)

    assert warnings == [f"{file}:11:5: this question is asked twice (the first one is on line 7)"]


def test_the_same_question_about_other_contexts_is_as_it_should_be(tmp_path, caplog):
    text = skill(grounded=(2, 4)).replace("Question 4?", "Question 2?")
    write_leaf(tmp_path, SKILL, text)

    assert warnings_of(caplog, tmp_path)[1] == []


@pytest.mark.parametrize("pattern", ["/etc/*.md", "../*.md", "docs/../../x.md", "  /a.md"])
def test_a_pattern_that_leads_out_of_the_repository_is_refused(tmp_path, pattern):
    problem = only_problem_in(tmp_path, knowledge(pattern=pattern), KNOWLEDGE)

    assert (problem.code, place(problem)) == ("path-leads-out", (9, 7))


@pytest.mark.parametrize("pattern", ["**/*.md", "a..b/*.md", "docs/..."])
def test_a_pattern_with_dots_that_stays_inside_is_right(tmp_path, pattern):
    write_leaf(tmp_path, KNOWLEDGE, knowledge(pattern=pattern))

    assert read_taxonomy(tmp_path)[0].documents.patterns == (pattern,)


scalars = st.from_regex(
    r"[-+]?[0-9._]{1,4}([eE][-+]?[0-9]{1,2})?|[yYnNoO~<=]\w{0,3}", fullmatch=True
)
texts = st.one_of(scalars, st.text(st.characters(codec="utf-8"))).filter(str.strip)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts, st.none() | texts), min_size=1, max_size=4))
def test_whatever_pyyaml_writes_is_read_as_pyyaml_reads_it(examples):
    content = {
        "created_by": "ada",
        "task_description": "Write.",
        "seed_examples": [
            {"question": question, "answer": answer} | ({"context": context} if context else {})
            for question, answer, context in examples
        ],
    }
    text = yaml.safe_dump(content, allow_unicode=True)
    with tempfile.TemporaryDirectory() as taxonomy:
        write_leaf(Path(taxonomy), SKILL, text)
        (leaf,) = read_taxonomy(taxonomy)

    assert [(*e.pairs, e.context) for e in leaf.seed_examples] == [
        (
            QuestionAnswer(example["question"].strip(), example["answer"].strip()),
            example["context"].strip() if "context" in example else None,
        )
        for example in yaml.safe_load(text)["seed_examples"]
    ]


@pytest.mark.parametrize("answer", ["2024-01-01", "12:30", "1e5", "12e4567", "0b", "NaN"])
def test_what_people_take_for_text_is_text(tmp_path, answer):
    write_leaf(tmp_path, SKILL, skill().replace("Answer 2.", answer))

    assert read_taxonomy(tmp_path)[0].seed_examples[1].pairs[0].answer == answer


@pytest.mark.parametrize("answer", ["yes", "No", "0123456", "1.50", "true"])
def test_what_yaml_takes_for_a_number_or_a_truth_value_is_told_in_quotes_as_it_was_written(
    tmp_path, answer
):
    problem = only_problem_in(tmp_path, skill().replace("Answer 2.", answer))

    assert place(problem) == (8, 5)
    assert problem.suggestion == f'in quotes it is text: "{answer}"'


def test_a_key_of_knowledge_in_a_skill_is_named_with_those_there_are(tmp_path):
    problem = only_problem_in(tmp_path, skill() + "domain: x\n")

    assert (problem.code, place(problem)) == ("unknown-key", (15, 1))
    assert "task_description" in problem.expected
