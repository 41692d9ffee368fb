"""Which model is asked, in which chat format, at which endpoint, with which grammar."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest

from kfp_sdg.blocks import Account
from kfp_sdg.blocks.llm import LLMBlock
from kfp_sdg.errors import BlockError, TeacherError
from scripted_teacher import ScriptedTeacher, context, pipeline

ROW = pa.table({"q": ["Hi"]})
TAGGED = {"generation": "{{ q }}", "start_tags": ["[A]"], "end_tags": ["[/A]"]}


def ask(teacher: ScriptedTeacher, *, config="{{ q }}", run=None, **settings):
    ctx = context(teacher, **{"model_id": None, "model_family": None, **(run or {})})
    settings = {"config_path": "p.yaml", "output_cols": ["a"], **settings}
    LLMBlock(ctx, pipeline(p=config), "ask", **settings).apply(ROW, Account())
    return teacher.requests[-1] if teacher.requests else None


def serving(*models: str, **settings) -> ScriptedTeacher:
    return ScriptedTeacher(lambda request: ["[A]x[/A]"] * request.n, models, **settings)


def test_the_runs_model_comes_before_the_blocks():
    both = serving("run", "block")
    assert ask(both, run={"model_id": "run"}, model_id="block").model == "run"
    assert ask(both, model_id="block").model == "block"


def test_the_blocks_model_stays_where_the_run_names_an_endpoint_for_it():
    default, special = serving("run"), serving("block")
    run = {"model_id": "run", "endpoints": {"block": special}}
    ask(default, run=run, model_id="block")
    assert not default.requests
    assert special.requests[0].model == "block"


def test_the_model_of_gen_kwargs_comes_before_all():
    teacher = serving("run", "own")
    request = ask(teacher, run={"model_id": "run"}, gen_kwargs={"model": "own"})
    assert request.model == "own"
    assert "model" not in request.options


def test_without_a_name_the_servers_only_model_is_asked():
    assert ask(serving("only")).model == "only"


def test_without_a_name_several_models_are_an_error_that_lists_them():
    with pytest.raises(TeacherError, match="set model_id to one of its models: a, b") as error:
        ask(serving("a", "b"))
    assert error.value.fatal


def test_a_model_that_the_server_does_not_list_is_an_error_before_any_request():
    teacher = serving("mixtral-8x7b", "granite")
    with pytest.raises(TeacherError, match="did you mean 'mixtral-8x7b'"):
        ask(teacher, model_id="mixtral-8x7B")
    assert not teacher.requests


def test_a_server_that_lists_nothing_is_asked_all_the_same():
    assert ask(serving(), model_id="any").model == "any"


def test_a_run_without_a_teacher_is_an_error():
    asking = LLMBlock(
        context(None), pipeline(p="x"), "ask", config_path="p.yaml", output_cols=["a"]
    )
    with pytest.raises(BlockError, match="names no teacher"):
        asking.apply(ROW, Account())


def test_the_family_is_the_runs_then_the_blocks_then_a_guess():
    teacher = serving("granite-7b")
    mixtral, merlinite = "<s> [INST] Hi [/INST]", "<|user|>\nHi\n<|assistant|>"
    run = {"model_family": "mixtral"}
    assert ask(teacher, run=run, model_family="merlinite").prompt == mixtral
    assert ask(teacher, model_family="mixtral").prompt == mixtral
    assert ask(teacher).prompt == merlinite


def test_the_runs_family_says_nothing_of_a_model_that_a_block_keeps_beside_the_runs():
    default, special = serving("granite"), serving("mixtral-8x7b")
    run = {
        "model_id": "granite",
        "model_family": "merlinite",
        "endpoints": {"mixtral-8x7b": special, "granite": default},
    }
    ask(default, run=run, model_id="mixtral-8x7b")
    ask(default, run=run, model_id="mixtral-8x7b", model_family="blank")
    assert [r.prompt for r in special.requests] == ["<s> [INST] Hi [/INST]", "Hi"]
    merlinite = "<|user|>\nHi\n<|assistant|>"
    assert ask(default, run=run, model_id="granite", model_family="blank").prompt == merlinite
    only_a_family = {**run, "model_id": None}
    ask(default, run=only_a_family, model_id="mixtral-8x7b")
    assert special.requests[-1].prompt == merlinite


def test_the_chat_family_sends_messages():
    teacher = serving("m")
    assert ask(teacher, model_family="chat").prompt == ({"role": "user", "content": "Hi"},)
    assert len(teacher.chats) == 1


def test_a_server_without_completions_gets_messages_and_one_warning(caplog):
    teacher = serving("granite-chat-only", completions=False)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ask(teacher).prompt == ({"role": "user", "content": "Hi"},)
    assert [r.getMessage() for r in caplog.records] == [
        "the server of model 'granite-chat-only' has no /v1/completions; prompts go to "
        "/v1/chat/completions and the server formats them (model_family: chat)"
    ]


@pytest.mark.parametrize(
    ("model_prompt", "prompt"),
    [
        ("", "Hi"),
        ("Q: {{prompt}}\nA:", "Q: Hi\nA:"),
        ("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", "<user>Hi"),
    ],
)
def test_a_model_prompt_takes_the_place_of_the_familys_format(model_prompt, prompt):
    teacher = serving("granite")
    assert ask(teacher, model_prompt=model_prompt).prompt == prompt


def test_logprobs_are_spelt_as_each_endpoint_wants_them():
    teacher = serving("m")
    settings = {"gen_kwargs": {"logprobs": 3}}
    assert ask(teacher, model_family="blank", **settings).options["logprobs"] == 3
    chat = ask(teacher, model_family="chat", **settings).options
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 3)


def grammar_of(request) -> str | None:
    body = request.options.get("extra_body", {})
    assert body.get("structured_outputs", {}).get("grammar") == body.get("grammar")
    return body.get("grammar")


def test_a_grammar_from_the_tags_is_sent_where_the_run_or_the_block_wants_it():
    teacher = serving("m")
    wanted = {"constrain": True}
    assert '"[A]" gap value "[/A]"' in grammar_of(ask(teacher, config=TAGGED, run=wanted))
    assert grammar_of(ask(teacher, config=TAGGED, gen_kwargs={"constrain": True}))
    refused = {"constrain": False}
    assert grammar_of(ask(teacher, config=TAGGED, run=wanted, gen_kwargs=refused)) is None
    assert grammar_of(ask(teacher, config=TAGGED)) is None
    assert all("constrain" not in request.options for request in teacher.requests)


def test_a_grammar_of_the_configs_own_comes_before_one_from_the_tags():
    config = {**TAGGED, "grammar": 'root ::= "[A]1[/A]"'}
    request = ask(serving("m"), config=config, run={"constrain": True})
    assert grammar_of(request) == 'root ::= "[A]1[/A]"'


def test_a_grammar_is_merged_into_the_users_extra_body():
    body = {"top_k": 5}
    request = ask(
        serving("m"), config=TAGGED, run={"constrain": True}, gen_kwargs={"extra_body": body}
    )
    assert request.options["extra_body"]["top_k"] == 5
    assert grammar_of(request)
    assert body == {"top_k": 5}


@pytest.mark.parametrize(
    "body",
    [{"guided_choice": ["a"]}, {"structured_outputs": {"choice": ["a"]}}, {"json_schema": {}}],
)
def test_a_constraint_of_the_users_own_stays_as_it_is(body):
    request = ask(
        serving("m"), config=TAGGED, run={"constrain": True}, gen_kwargs={"extra_body": body}
    )
    assert request.options["extra_body"] == body


def test_samples_of_one_pair_of_tags_are_asked_for_as_several_entries():
    request = ask(
        serving("m"), config=TAGGED, run={"constrain": True}, batch_kwargs={"num_samples": 3}
    )
    assert "root ::= entry (gap entry){2,2}" in grammar_of(request)


def test_whole_answers_need_no_grammar():
    assert grammar_of(ask(serving("m"), run={"constrain": True})) is None


def test_a_custom_parser_without_tags_or_grammar_is_not_constrained_and_a_warning_says_so(caplog):
    config = {"generation": "x", "start_tags": None, "end_tags": None}
    parser = {"parser_name": "custom", "parsing_pattern": "(.+)"}
    with caplog.at_level(logging.WARNING):
        request = ask(
            serving("m"),
            config=config,
            run={"constrain": True, "model_family": "blank"},
            parser_kwargs=parser,
        )
    assert grammar_of(request) is None
    assert [r.getMessage() for r in caplog.records] == [
        "block 'ask': no grammar for p.yaml, which has neither tags nor a grammar of its own; "
        "answers are not constrained"
    ]
