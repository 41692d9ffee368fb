"""The stub teacher answers in the format that a prompt asks for, the same every time."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from stub_answers import Ask, tagged_answer
from stub_teacher import StubTeacher

FORMAT = "Use this format:\n[Question]\n<question>\n[Answer]\n<answer>\n[End]"
CHAIN = f"{FORMAT}\n\nDocument:\n[1] A [link](x)."
JUDGE = "[[judge]] Format:\n[Explanation]\n<text>\n[End]\n[Score]\n<score>\n[End]"
PAIRS = "Write [Start of Question]\n<q>\n[End of Question] and [Start of Score]1[End of Score]"


def post(stub: StubTeacher, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        stub.url + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_a_chain_of_tags_is_answered_with_the_same_chain():
    text = tagged_answer()(Ask(CHAIN))
    assert re.fullmatch(r"\[Question\]\n.+\?\n\[Answer\]\n.+\.\n\[End\]", text)


def test_each_section_of_a_judge_is_closed_by_its_own_end():
    text = tagged_answer()(Ask(JUDGE))
    assert re.fullmatch(r"\[Explanation\]\n.+\n\[End\]\n\[Score\]\n[12]\n\[End\]", text)


def test_start_and_end_pairs_are_answered_once_each():
    text = tagged_answer({"Score": ["2"]})(Ask(PAIRS))
    assert re.fullmatch(
        r"\[Start of Question\]\n.+\n\[End of Question\]\n\[Start of Score\]\n2\n\[End of Score\]",
        text,
    )


def test_a_prompt_without_tags_gets_a_question_and_an_answer():
    assert re.fullmatch(r"What .+\? The .+\.", tagged_answer()(Ask("Write something.")))


def test_a_guided_choice_is_obeyed():
    body = {"structured_outputs": {"choice": ["red", "blue"]}}
    assert tagged_answer()(Ask("Colour?", body)) in {"red", "blue"}


@pytest.mark.parametrize("path", ["/completions", "/chat/completions"])
def test_equal_requests_get_equal_answers_and_choices_differ(stub_teacher, path):
    body = {"model": "stub-model", "n": 3, "max_tokens": 9}
    body |= (
        {"messages": [{"role": "user", "content": CHAIN}]} if "chat" in path else {"prompt": CHAIN}
    )
    first, second = post(stub_teacher, path, body), post(stub_teacher, path, body)
    assert first == second
    assert (
        len({json.dumps(choice.get("text") or choice["message"]) for choice in first["choices"]})
        == 3
    )
    assert stub_teacher.requests == [body, body]
    assert stub_teacher.prompts == [CHAIN, CHAIN]


def test_repeats_can_be_told_apart():
    with StubTeacher(count_repeats=True) as stub:
        body = {"model": "stub-model", "prompt": "Again.", "max_tokens": 9}
        texts = [post(stub, "/completions", body)["choices"][0]["text"] for _ in range(3)]
    assert len(set(texts)) == 3
