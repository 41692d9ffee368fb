"""ConditionalLLMBlock, LLMLogProbBlock and LLMMessagesBlock: what each does in its own way."""

from __future__ import annotations

import json
import math

import pyarrow as pa
import pytest

from kfp_sdg.blocks import Account
from kfp_sdg.blocks.choices import split_by_choice
from kfp_sdg.blocks.conditional_llm import ConditionalLLMBlock
from kfp_sdg.blocks.llm_log_prob import LLMLogProbBlock
from kfp_sdg.blocks.llm_messages import LLMMessagesBlock
from kfp_sdg.errors import BlockError
from kfp_sdg.teacher import Choice, TokenLogprobs
from scripted_teacher import ScriptedTeacher, always, assert_books_balance, context, pipeline


def run(block, table: pa.Table) -> tuple[pa.Table, Account]:
    account = Account()
    made = block.apply(table, account)
    assert_books_balance(len(table), len(made), account)
    assert made.column_names == block.columns_after(table.column_names)
    return made, account


CONFIGS = {
    "a": {"generation": "A {{ q }}", "start_tags": ["<a>"], "end_tags": ["</a>"]},
    "b": {"generation": "B {{ q }}", "start_tags": ["<b>"], "end_tags": ["</b>"]},
}


def conditional(teacher, paths=(("a.yaml", "x"), ("b.yaml", "y")), *, run=None, **settings):
    return ConditionalLLMBlock(
        context(teacher, **(run or {})),
        pipeline(**CONFIGS),
        "pick",
        config_paths=[list(pair) for pair in paths],
        output_cols=["out"],
        selector_column_name="kind",
        **settings,
    )


def reply_in_tags(request) -> list[str]:
    tag = request.prompt.removeprefix("<s> [INST] ")[0].lower()
    return [f"<{tag}>{request.prompt}</{tag}>"]


def test_a_column_selects_the_prompt_and_its_tags_parse_the_answer():
    table = pa.table({"q": ["1", "2"], "kind": ["y", "x"]})
    made, _ = run(conditional(ScriptedTeacher(reply_in_tags)), table)
    assert made["out"].to_pylist() == ["B 1", "A 2"]


def test_a_selected_prompt_gets_the_chat_format_and_the_model_prompt():
    table = pa.table({"q": ["1"], "kind": ["y"]})
    teacher = ScriptedTeacher(reply_in_tags)
    run(conditional(teacher, run={"model_family": "mixtral"}), table)
    run(conditional(teacher, model_prompt="{{ prompt }}?"), table)
    assert [r.prompt for r in teacher.requests] == ["<s> [INST] B 1 [/INST]", "B 1?"]


def test_each_prompt_has_a_grammar_from_its_own_tags():
    teacher = ScriptedTeacher(reply_in_tags)
    table = pa.table({"q": ["1", "2"], "kind": ["y", "x"]})
    run(conditional(teacher, run={"constrain": True}), table)
    grammars = {r.prompt: r.options["extra_body"]["grammar"] for r in teacher.requests}
    assert '"<b>"' in grammars["B 1"]
    assert '"<a>"' in grammars["A 2"]


def test_a_row_whose_selector_has_no_prompt_is_rejected():
    table = pa.table({"q": ["1", "2", "3"], "kind": ["z", "x", None]})
    teacher = ScriptedTeacher(reply_in_tags)
    made, account = run(conditional(teacher), table)
    assert made["q"].to_pylist() == ["2"]
    assert [(r.reason, r.message) for r in account.rejections] == [
        ("choice", "kind is 'z'; config_paths has 'x', 'y'"),
        ("choice", "kind is None; config_paths has 'x', 'y'"),
    ]
    assert len(teacher.requests) == 1


@pytest.mark.parametrize(
    ("cells", "keys"), [([True, False], "true false"), ([1.0, 2.5], "1 2.5"), ([1, -2], "1 -2")]
)
def test_numbers_and_bools_select_by_the_text_that_other_blocks_compare(cells, keys):
    first, second = keys.split()
    block = conditional(ScriptedTeacher(reply_in_tags), [("a.yaml", first), ("b.yaml", second)])
    made, _ = run(block, pa.table({"q": ["1", "2"], "kind": cells}))
    assert made["out"].to_pylist() == ["A 1", "B 2"]
    kept, _ = split_by_choice(block, made, "kind", [first, second], Account())
    assert len(kept) == 2


def test_a_null_selects_nothing_not_even_the_key_none():
    block = conditional(always(""), [("a.yaml", "None"), ("b.yaml", "y")])
    _, account = run(block, pa.table({"q": ["1"], "kind": pa.array([None], pa.string())}))
    assert account.rejected_by_reason == {"choice": 1}


def test_the_single_key_all_selects_nothing_and_needs_no_selector():
    made, _ = run(
        conditional(ScriptedTeacher(reply_in_tags), [("a.yaml", "All")]), pa.table({"q": ["1"]})
    )
    assert made["out"].to_pylist() == ["A 1"]


def test_a_missing_selector_column_is_an_error():
    with pytest.raises(BlockError, match="missing column 'kind'"):
        run(conditional(always("")), pa.table({"q": ["1"]}))


@pytest.mark.parametrize(
    "paths", [[], [("a.yaml",)], [("a.yaml", "x", "y")], [("a.yaml", "x"), ("b.yaml", "x")]]
)
def test_config_paths_that_are_no_pairs_are_refused(paths):
    with pytest.raises(BlockError, match="expected pairs of a prompt config"):
        conditional(always(""), paths)


def log_prob(teacher, *, run=None, **settings):
    return LLMLogProbBlock(
        context(teacher, **(run or {})),
        pipeline(p="{{ q }}"),
        "score",
        config_path="p.yaml",
        output_cols=["probs", "unused"],
        **settings,
    )


LIKELY = TokenLogprobs("Yes", -0.1, (("Yes", -0.1), ("Nö", -2.5)))


def test_the_probabilities_of_every_token_become_json_text():
    made, _ = run(log_prob(always(Choice("Yes", "stop", (LIKELY, LIKELY)))), pa.table({"q": ["1"]}))
    token = {"token": "Yes", "logprob": -0.1, "top": [["Yes", -0.1], ["Nö", -2.5]]}
    assert made.column_names == ["q", "probs"]
    assert json.loads(made["probs"][0].as_py()) == [token, token]


@pytest.mark.parametrize(
    ("gen_kwargs", "family", "expected"),
    [
        (None, "blank", {"logprobs": 10}),
        (None, "chat", {"logprobs": True, "top_logprobs": 10}),
        ({"logprobs": True}, "blank", {"logprobs": 10}),
        ({"logprobs": 3}, "blank", {"logprobs": 3}),
        ({"top_logprobs": 4}, "blank", {"logprobs": 4}),
    ],
)
def test_ten_likely_tokens_are_asked_for_unless_the_block_says(gen_kwargs, family, expected):
    teacher = always(Choice("Yes", "stop", (LIKELY,)))
    block = log_prob(teacher, run={"model_family": family}, gen_kwargs=gen_kwargs)
    run(block, pa.table({"q": ["1"]}))
    options = teacher.requests[0].options
    assert {k: v for k, v in options.items() if "logprobs" in k} == expected


def test_an_impossible_token_leaves_the_text_json():
    never = TokenLogprobs("No", -math.inf, (("Yes", -0.1), ("No", -math.inf)))
    made, _ = run(log_prob(always(Choice("No", "stop", (never,)))), pa.table({"q": ["1"]}))
    (token,) = json.loads(made["probs"][0].as_py(), parse_constant=pytest.fail)
    assert (token["logprob"], token["top"]) == (-9999.0, [["Yes", -0.1], ["No", -9999.0]])


def test_an_answer_without_probabilities_is_rejected():
    _, account = run(log_prob(always("Yes")), pa.table({"q": ["1"]}))
    (rejection,) = account.rejections
    assert (rejection.reason, rejection.answer) == ("teacher", "Yes")


TALK = [{"role": "user", "content": "Hi"}]


def messages(teacher, *, run=None, **settings):
    return LLMMessagesBlock(
        context(teacher, **(run or {})),
        pipeline(),
        "talk",
        **{"input_col": "talk", "output_col": "said", **settings},
    )


def test_the_messages_of_a_cell_are_sent_and_the_answer_is_text():
    teacher = ScriptedTeacher(lambda r: [r.prompt[-1]["content"] + "!"])
    table = pa.table({"talk": [TALK, [{"role": "system", "content": "S"}, *TALK]]})
    made, _ = run(messages(teacher), table)
    assert made["said"].to_pylist() == ["Hi!", "Hi!"]
    assert len(teacher.chats) == 2
    assert teacher.most_at_once == 2


def test_messages_may_be_json_text():
    teacher = always("x")
    run(messages(teacher), pa.table({"talk": [json.dumps(TALK)]}))
    assert teacher.requests[0].prompt == ({"role": "user", "content": "Hi"},)


def test_fields_that_only_other_messages_have_are_not_sent():
    teacher = always("x")
    talk = [{"role": "user", "content": "Hi", "name": "Ann"}, {"role": "user", "content": "Yo"}]
    run(messages(teacher), pa.table({"talk": [talk]}))
    assert teacher.requests[0].prompt[1] == {"role": "user", "content": "Yo"}


CALL = {"id": "c1", "type": "function", "function": {"name": "sum", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}


@pytest.mark.parametrize("written", [lambda talk: talk, json.dumps])
def test_an_assistant_that_calls_tools_needs_no_text(written):
    teacher = always("x")
    result = {"role": "tool", "content": "3", "tool_call_id": "c1"}
    run(messages(teacher), pa.table({"talk": [written([*TALK, CALLING, result])]}))
    assert teacher.requests[0].prompt == (*TALK, CALLING, result)


@pytest.mark.parametrize(
    "change", [{"tool_calls": []}, {"tool_calls": None}, {"role": "user"}, {"content": 1}]
)
def test_other_messages_need_text(change):
    _, account = run(
        messages(always("x")), pa.table({"talk": [json.dumps([{**CALLING, **change}])]})
    )
    assert account.rejected_by_reason == {"prompt": 1}


def test_several_answers_become_a_list():
    teacher = ScriptedTeacher(lambda r: [f"{i}" for i in range(r.n)])
    settings = {"gen_kwargs": {"n": "scaled"}, "run": {"num_instructions_to_generate": 3}}
    made, account = run(messages(teacher, **settings), pa.table({"talk": [TALK]}))
    assert made["said"].to_pylist() == [["0", "1", "2"]]
    assert teacher.requests[0].options["temperature"] == 0.7
    assert account.added == 0


def test_of_a_list_the_answers_that_are_missing_are_rejected():
    block = messages(always("a", None), gen_kwargs={"n": 3, "temperature": 1})
    made, account = run(block, pa.table({"talk": [TALK]}))
    assert made["said"].to_pylist() == [["a"]]
    assert account.rejected_by_reason == {"parse": 1, "teacher": 1}


def test_a_single_answer_without_text_is_rejected():
    _, account = run(messages(always(None)), pa.table({"talk": [TALK]}))
    assert account.rejected_by_reason == {"parse": 1}


@pytest.mark.parametrize(
    "cell", ["", "[]", "hello", '{"role": "user"}', '[{"role": "user"}]', None]
)
def test_a_cell_without_messages_is_rejected(cell):
    teacher = always("x")
    _, account = run(messages(teacher), pa.table({"talk": pa.array([cell], pa.string())}))
    assert account.rejected_by_reason == {"prompt": 1}
    assert not teacher.requests


def test_the_output_column_must_be_new_and_the_input_column_there():
    table = pa.table({"talk": [TALK], "said": ["x"]})
    with pytest.raises(BlockError, match="cannot make column 'said'"):
        run(messages(always("x")), table)
    with pytest.raises(BlockError, match="missing column 'talks'"):
        run(messages(always("x"), input_col="talks", output_col="new"), table)


def test_no_rows_keep_the_type_of_the_answers():
    empty = pa.table({"talk": pa.array([], pa.string())})
    made, _ = run(messages(always("x"), gen_kwargs={"n": 2}), empty)
    assert made.schema.field("said").type == pa.list_(pa.string())
