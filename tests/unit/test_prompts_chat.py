"""Chat formats and the choice of a family."""

from __future__ import annotations

import logging

import pytest

from kfp_sdg.prompts import CHAT, PromptError, PromptRegistry, resolve_family, wrap_prompt

TALK = [
    {"role": "system", "content": "Sys"},
    {"role": "user", "content": "A"},
    {"role": "assistant", "content": "B"},
    {"role": "user", "content": "C"},
]
LLAMA_SYSTEM = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("blank", "Hi"),
        ("merlinite", "<|user|>\nHi\n<|assistant|>"),
        ("granite", "<|user|>\nHi\n<|assistant|>"),
        ("mixtral", "<s> [INST] Hi [/INST]"),
        ("mistral", "<s> [INST] Hi [/INST]"),
        (
            "llama",
            LLAMA_SYSTEM + "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>",
        ),
    ],
)
def test_a_prompt_in_the_format_of_each_family(family, expected):
    assert wrap_prompt(PromptRegistry.get_template(family), "Hi") == expected


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (
            "merlinite",
            (
                "<|system|>\nSys\n<|user|>\nA\n<|assistant|>\nB<|endoftext|>\n<|user|>\nC\n"
                "<|assistant|>\n"
            ),
        ),
        ("mixtral", "<s> [INST] Sys\n\nA [/INST] B</s> [INST] C [/INST]"),
        (
            "llama",
            LLAMA_SYSTEM + "Sys<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nA<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nB<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nC<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ],
)
def test_a_whole_talk_in_the_format_of_each_family(family, expected):
    template = PromptRegistry.get_template(family)
    assert template.render(messages=TALK, prompt="", add_generation_prompt=True) == expected


def test_the_runs_family_comes_before_the_blocks_and_both_before_a_guess():
    assert resolve_family("granite-3", run="llama", block="mixtral") == "llama"
    assert resolve_family("granite-3", block="mixtral") == "mixtral"


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral"),
        ("/models/granite-7b-lab/", "granite"),
        ("llama", "llama"),
    ],
)
def test_a_family_is_guessed_from_the_first_word_of_the_models_name(model, family):
    assert resolve_family(model) == family


def test_an_unknown_family_becomes_chat_with_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        families = {resolve_family("Nobody/knows-this-one") for _ in range(3)}
    assert families == {CHAT}
    (warning,) = (r.getMessage() for r in caplog.records)
    assert warning == (
        "no model family fits 'Nobody/knows-this-one'; messages are sent to "
        "/v1/chat/completions for the server to format. Set model_family to one of blank, chat, "
        "granite, llama, merlinite, mistral, mixtral to silence this."
    )


def test_chat_is_a_family_without_a_warning(caplog):
    assert resolve_family("m", block="chat") == CHAT
    assert not caplog.records


def test_a_registered_format_is_a_family(monkeypatch):
    monkeypatch.setattr(PromptRegistry, "_formats", dict(PromptRegistry.get_registry()))

    @PromptRegistry.register("pirate", "buccaneer")
    def pirate() -> str:
        return "Arr: {{ prompt }}"

    assert resolve_family("Buccaneer-7b") == "buccaneer"
    assert wrap_prompt(PromptRegistry.get_template("pirate"), "Hi") == "Arr: Hi"


def test_a_format_that_is_not_there_is_an_error_with_those_there_are():
    with pytest.raises(PromptError, match="no chat format 'x'; there are blank, granite"):
        PromptRegistry.get_template("x")


def test_a_format_of_ones_own_takes_the_place_of_a_shipped_one(monkeypatch):
    monkeypatch.setattr(PromptRegistry, "_formats", {})

    @PromptRegistry.register("llama")
    def llama() -> str:
        return "Mine: {{ prompt }}"

    assert wrap_prompt(PromptRegistry.get_template("llama"), "Hi") == "Mine: Hi"
    formats = PromptRegistry.get_registry()
    assert sorted(formats) == ["blank", "granite", "llama", "merlinite", "mistral", "mixtral"]
    assert wrap_prompt(formats["llama"], "Hi") == "Mine: Hi"
    assert formats["granite"] is formats["merlinite"]
