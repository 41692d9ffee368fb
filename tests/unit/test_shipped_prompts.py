"""The shipped prompts keep InstructLab's tags and variables, and do what they ask for."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from gbnf import gbnf_pattern, gbnf_prefix
from kfp_sdg.pipelines import SHIPPED_FOLDER
from kfp_sdg.prompts import PatternParser, PromptConfig, TagParser
from kfp_sdg.spec import ConfigFile
from kfp_sdg.teacher import Request, TeacherOptions, connect

CONFIGS = SHIPPED_FOLDER / "instructlab" / "configs"

PAIR_PATTERN = (
    r"\[(?:Question|QUESTION)\]\s*(.*?)\s*\[(?:Answer|ANSWER)\]\s*(.*?)"
    r"\s*(?=\[(?:Question|QUESTION)\]|$)"
)

# -- the facts: tags and variables of every prompt config ----------------------------------------

WHOLE = ("",)
SEEDS = {f"icl_{kind}_{k}" for kind in ("query", "response") for k in range(1, 11)}
DOCUMENT = {"domain", "document", "document_outline", "icl_document", *SEEDS}
PROMPTS = {
    "knowledge/atomic_facts": (WHOLE, {"domain", "document"}),
    "knowledge/detailed_summary": (WHOLE, {"document"}),
    "knowledge/extractive_summary": (WHOLE, {"document"}),
    "knowledge/spellcheck": (WHOLE, {"document"}),
    "knowledge/simple_generate_qa": (WHOLE, DOCUMENT),
    "knowledge/generate_questions_responses": ((), DOCUMENT),
    "knowledge/mcq_generation": (("Question", "Answer"), {"document"}),
    "knowledge/evaluate_faithfulness": (("Explanation", "Answer"), {"document", "response"}),
    "knowledge/evaluate_relevancy": (("Feedback", "Score"), {"question", "response"}),
    "knowledge/evaluate_question": (("Explanation", "Rating"), {"question"}),
    "skills/contexts": (("Context",), {"task_description", "seed_context"}),
    "skills/freeform_questions": (
        ("Question",),
        {"num_samples", "task_description", "seed_question"},
    ),
    "skills/freeform_responses": (("Response",), {"seed_question", "seed_response", "question"}),
    "skills/grounded_questions": (
        ("Question",),
        {"num_samples", "task_description", "seed_context", "seed_question", "context"},
    ),
    "skills/grounded_responses": (
        ("Response",),
        {"seed_context", "seed_question", "seed_response", "context", "question"},
    ),
    "skills/evaluate_freeform_questions": (
        ("Evaluation", "Score"),
        {"task_description", "question"},
    ),
    "skills/evaluate_freeform_pair": (("Evaluation", "Score"), {"question", "response"}),
    "skills/evaluate_grounded_questions": (
        ("Evaluation", "Score"),
        {"task_description", "context", "question"},
    ),
    "skills/evaluate_grounded_pair": (("Evaluation", "Score"), {"context", "question", "response"}),
    "skills/simple_generate_qa_freeform": (
        WHOLE,
        {"task_description", "seed_question", "seed_response"},
    ),
    "skills/simple_generate_qa_grounded": (
        WHOLE,
        {"task_description", "seed_context", "seed_question", "seed_response"},
    ),
}

# What the judges say in their worked examples, in order. Read the examples before changing these.
WORKED_VERDICTS = {
    "knowledge/evaluate_faithfulness": ["YES", "NO"],
    "knowledge/evaluate_relevancy": ["2", "1", "0"],
    "knowledge/evaluate_question": ["1", "0"],
    "skills/evaluate_freeform_questions": ["1", "0"],
    "skills/evaluate_freeform_pair": ["3", "1"],
    "skills/evaluate_grounded_questions": ["1", "0"],
    "skills/evaluate_grounded_pair": ["1", "2"],
}
VERDICTS = {
    "knowledge/evaluate_faithfulness": {"YES", "NO"},
    "knowledge/evaluate_relevancy": {"0", "1", "2"},
    "knowledge/evaluate_question": {"0", "1"},
    "skills/evaluate_freeform_questions": {"0", "1"},
    "skills/evaluate_freeform_pair": {"1", "2", "3"},
    "skills/evaluate_grounded_questions": {"0", "1"},
    "skills/evaluate_grounded_pair": {"1", "2", "3"},
}

REASON = "It is about what was asked, and nothing in it is wrong."
POINTS = "- Subject: 1 (It is about tides.)\n- Focus: 1 (It gives the reason.)"
QA = "Why are there tides?\nThe moon pulls at the sea.\nThe sun pulls too."
PAIR = "[QUESTION]\nWhy are there tides?\n[ANSWER]\nThe moon pulls at the sea.\n[END]\n"
CHOICES = "A) Wind\nB) The moon\nC) Rain\nD) Ships"
GOOD_ANSWERS = {
    "knowledge/atomic_facts": "1. The sea rises twice a day.\n2. The moon pulls at the sea.\n",
    "knowledge/simple_generate_qa": QA,
    "skills/simple_generate_qa_freeform": QA,
    "skills/simple_generate_qa_grounded": QA,
    "knowledge/generate_questions_responses": PAIR * 3,
    "knowledge/mcq_generation": (
        f"[Start of Question]\nWhat pulls at the sea?\n\n{CHOICES}\n[End of Question]\n\n"
        "[Start of Answer]\nB) The moon\n[End of Answer]\n\n"
    ),
}
BAD_ANSWERS = {
    "knowledge/atomic_facts": "The sea rises twice a day.",
    "knowledge/simple_generate_qa": "Tides. The moon pulls at the sea.",
    "skills/simple_generate_qa_freeform": "Tides. The moon pulls at the sea.",
    "skills/simple_generate_qa_grounded": "Tides. The moon pulls at the sea.",
    "knowledge/generate_questions_responses": PAIR.replace("[ANSWER]\n", ""),
    "knowledge/mcq_generation": GOOD_ANSWERS["knowledge/mcq_generation"].replace("D) Ships\n", ""),
}


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text("utf-8"))
    return content


def prompt_config(name: str) -> PromptConfig:
    return PromptConfig.from_file(ConfigFile(name, read(name)))


def with_grammar() -> list[str]:
    return [name for name in PROMPTS if prompt_config(name).grammar]


def judgment(name: str, verdict: str) -> str:
    """A judge's answer, written with the tags of the facts."""
    reasons, verdicts = PROMPTS[name][0]
    said = POINTS if name == "knowledge/evaluate_relevancy" else REASON
    return (
        f"[Start of {reasons}]\n{said}\n[End of {reasons}]\n\n"
        f"[Start of {verdicts}]\n{verdict}\n[End of {verdicts}]"
    )


def worked_examples(name: str) -> list[dict[str, str]]:
    """The answers in a config's worked examples, read with the config's own tags."""
    config = prompt_config(name)
    columns = [f"column{i}" for i in range(len(config.start_tags))]
    text = re.sub(r"\{\{.*?\}\}", "…", config.examples)
    parsed = TagParser(columns, config.start_tags, config.end_tags).parse(text)
    assert parsed.failure is None
    return [dict(row) for row in parsed.rows]


# -- prompt configs ------------------------------------------------------------------------------


def test_these_prompt_configs_ship_and_no_others():
    found = {p.relative_to(CONFIGS).with_suffix("").as_posix() for p in CONFIGS.rglob("*.yaml")}

    assert found == set(PROMPTS)


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_config_has_instructlabs_keys_tags_and_variables(name):
    config, content = prompt_config(name), read(name)
    tags, variables = PROMPTS[name]

    needed = {"system", "introduction", "principles", "examples", "generation"}
    assert needed <= set(content) <= needed | {"start_tags", "end_tags", "grammar"}
    assert config.start_tags == tuple(f"[Start of {tag}]" if tag else "" for tag in tags)
    assert config.end_tags == tuple(f"[End of {tag}]" if tag else "" for tag in tags)
    assert config.template.variables == variables


@pytest.mark.parametrize("name", PROMPTS)
def test_in_no_prompt_example_is_a_tag_left_open_or_closed_twice(name):
    opened = None
    for kind, tag in re.findall(r"\[(Start|End) of (\w+)\]", prompt_config(name).examples):
        assert (kind == "Start") == (opened is None), f"{kind} of {tag} inside {opened}"
        assert kind == "Start" or tag == opened
        opened = tag if kind == "Start" else None
    assert opened is None


@pytest.mark.parametrize("name", WORKED_VERDICTS)
def test_a_judges_worked_examples_parse_and_say_what_the_rubric_says(name):
    verdicts = [list(row.values())[-1] for row in worked_examples(name)]

    assert verdicts == WORKED_VERDICTS[name]
    assert len(set(verdicts)) > 1


def test_the_relevancy_examples_add_up():
    for row in worked_examples("knowledge/evaluate_relevancy"):
        points = re.findall(r"^- \w+: (\d) ", row["column0"], re.MULTILINE)
        assert len(points) == 2
        assert sum(map(int, points)) == int(row["column1"])


def test_the_right_choice_of_a_multiple_choice_example_is_one_of_its_four():
    for row in worked_examples("knowledge/mcq_generation"):
        choices = re.findall(r"^[A-D]\) .+$", row["column0"], re.MULTILINE)
        assert len(choices) == 4
        assert row["column1"] in choices


def test_the_extractive_example_only_copies():
    document, extract = re.search(
        r"document:\n(.*)\n\n.*summary:\n(.*)\n",
        prompt_config("knowledge/extractive_summary").examples,
        re.DOTALL,
    ).groups()

    for sentence in re.split(r"(?<=\.) ", extract.strip()):
        assert sentence in document


@pytest.mark.parametrize("pairs", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("null", [False, True])
def test_seed_pairs_of_a_knowledge_prompt_stand_in_the_form_that_the_pipelines_read(pairs, null):
    values = dict.fromkeys(DOCUMENT - SEEDS, "text") | dict.fromkeys(SEEDS if null else ())
    for k in range(1, pairs + 1):
        values |= {f"icl_query_{k}": f"Question {k}?", f"icl_response_{k}": f"Answer {k}."}
    prompt = prompt_config("knowledge/generate_questions_responses").template.render(values)
    examples = prompt[prompt.index("Its pairs:") : prompt.rindex("The document to write")]

    rows = PatternParser(["question", "response"], PAIR_PATTERN, ["[END]"]).parse(examples).rows

    expected = [(f"Question {k}?", f"Answer {k}.") for k in range(1, pairs + 1)]
    assert [(row["question"], row["response"]) for row in rows] == expected


@pytest.mark.parametrize("pairs", [1, 2, 10])
def test_the_simple_knowledge_prompt_shows_every_seed_pair_and_no_other(pairs):
    values = dict.fromkeys(DOCUMENT, None) | {"domain": "D", "document": "d", "icl_document": "I"}
    for k in range(1, pairs + 1):
        values |= {f"icl_query_{k}": f"Question {k}?", f"icl_response_{k}": f"Answer {k}."}
    prompt = prompt_config("knowledge/simple_generate_qa").template.render(values)

    shown = re.findall(r"^(Question \d+\?)\n(Answer \d+\.)$", prompt, re.MULTILINE)
    assert shown == [(f"Question {k}?", f"Answer {k}.") for k in range(1, pairs + 1)]


@pytest.mark.parametrize("name", ["generate_questions_responses", "simple_generate_qa"])
def test_one_seed_pair_is_all_that_a_knowledge_prompt_needs(name):
    required = prompt_config(f"knowledge/{name}").template.required

    assert required & SEEDS == {"icl_query_1", "icl_response_1"}


# -- grammars ------------------------------------------------------------------------------------


def test_every_judge_and_every_answer_without_tags_of_its_own_has_a_grammar():
    assert set(with_grammar()) == {*WORKED_VERDICTS, *GOOD_ANSWERS}


@pytest.mark.parametrize("name", GOOD_ANSWERS)
def test_a_grammar_accepts_a_good_answer_and_refuses_one_that_would_not_parse(name):
    pattern = gbnf_pattern(prompt_config(name).grammar)

    assert pattern.fullmatch(GOOD_ANSWERS[name])
    assert not pattern.fullmatch(BAD_ANSWERS[name])


@pytest.mark.parametrize("name", VERDICTS)
def test_a_judges_grammar_accepts_the_verdicts_of_its_rubric_and_no_others(name):
    pattern = gbnf_pattern(prompt_config(name).grammar)
    accepted = {v for v in ("0", "1", "2", "3", "4", "10", "", "YES", "NO", "Maybe")
                if pattern.fullmatch(judgment(name, v))}  # fmt: skip

    # Both points of POINTS are given, so only their sum is accepted.
    assert accepted == ({"2"} if name == "knowledge/evaluate_relevancy" else VERDICTS[name])


def test_the_relevancy_grammar_accepts_every_sum_and_no_wrong_one():
    pattern = gbnf_pattern(prompt_config("knowledge/evaluate_relevancy").grammar)
    good = judgment("knowledge/evaluate_relevancy", "2")

    def answer(subject: int, focus: int, score: int) -> str:
        points = good.replace("Subject: 1", f"Subject: {subject}")
        return points.replace("Focus: 1", f"Focus: {focus}").replace("\n2\n", f"\n{score}\n")

    accepted = {
        (subject, focus, score)
        for subject in (0, 1)
        for focus in (0, 1)
        for score in (0, 1, 2)
        if pattern.fullmatch(answer(subject, focus, score))
    }
    assert accepted == {(1, 1, 2), (1, 0, 1), (0, 0, 0)}


@pytest.mark.parametrize("name", WORKED_VERDICTS)
def test_a_judges_worked_examples_are_answers_that_its_own_grammar_allows(name):
    reasons, verdict = PROMPTS[name][0]
    pattern = gbnf_pattern(prompt_config(name).grammar)
    found = re.findall(
        rf"\[Start of {reasons}\].*?\[End of {verdict}\]", prompt_config(name).examples, re.DOTALL
    )

    assert len(found) == len(WORKED_VERDICTS[name])
    for example in found:
        assert pattern.fullmatch(example), example


@pytest.mark.embedded
@pytest.mark.parametrize("name", with_grammar())
def test_llama_cpp_obeys_every_grammar(name, embedded_url):
    grammar = prompt_config(name).grammar
    is_judge = name in WORKED_VERDICTS
    # 512 is the smallest limit of a shipped judge: whatever the model writes ends within it.
    max_tokens = 512 if is_judge else 40
    options = {"max_tokens": max_tokens, "extra_body": {"grammar": grammar}, "temperature": 0}
    with connect(TeacherOptions(url=embedded_url)) as pool:
        teacher = pool.teacher(None)
        (model,) = pool.run(teacher.models())
        request = Request("Is it true that the moon makes the tides?", model, options=options)
        (choice,) = pool.run(teacher.complete(request)).choices

    if is_judge or choice.finish_reason == "stop":
        assert gbnf_pattern(grammar).fullmatch(choice.text)
    else:  # a list may go on for longer than a test wants to wait
        assert gbnf_prefix(grammar, choice.text)
