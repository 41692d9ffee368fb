"""LLMBlock: what it asks, and what becomes of every answer."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest

from kfp_sdg.blocks import Account
from kfp_sdg.blocks.llm import LLMBlock
from kfp_sdg.errors import BlockError, TeacherError
from kfp_sdg.teacher import Choice
from scripted_teacher import ScriptedTeacher, always, assert_books_balance, context, pipeline

TAGGED = {"generation": "{{ q }}", "start_tags": ["[A]"], "end_tags": ["[/A]"]}
ROWS = pa.table({"q": ["one", "two", "three"], "k": [1, 2, 3]})


def block(teacher, config="Ask {{ q }}", *, run=None, **settings) -> LLMBlock:
    return LLMBlock(
        context(teacher, **(run or {})),
        pipeline(p=config),
        "ask",
        **{"config_path": "p.yaml", "output_cols": ["a"], **settings},
    )


def run(asking: LLMBlock, table: pa.Table = ROWS) -> tuple[pa.Table, Account]:
    account = Account()
    made = asking.apply(table, account)
    assert_books_balance(len(table), len(made), account)
    return made, account


def test_every_row_is_asked_about_and_the_answers_stand_in_the_order_of_the_rows():
    teacher = ScriptedTeacher(lambda request: [f" {request.prompt}! "])
    made, account = run(block(teacher))
    assert made.to_pydict() == {
        "q": ["one", "two", "three"],
        "k": [1, 2, 3],
        "a": ["Ask one!", "Ask two!", "Ask three!"],
    }
    assert account.statistics.usage.requests == 3
    assert account.statistics.usage.completion_tokens == 15
    assert teacher.most_at_once == 3
    assert sorted(request.place for request in teacher.requests) == ["ask/0", "ask/1", "ask/2"]


def test_the_prompt_is_the_parts_of_the_config_stripped_in_the_familys_format():
    teacher = always("x")
    config = {"system": "S {{ q }}", "generation": "\n"}
    run(block(teacher, config, run={"model_family": "mixtral"}), ROWS[:1])
    assert teacher.requests[0].prompt == "<s> [INST] S one [/INST]"


def test_defaults_of_a_request():
    teacher = always("x")
    run(block(teacher), ROWS[:1])
    assert teacher.requests[0].options == {"temperature": 0.0, "max_tokens": 4096}
    assert teacher.requests[0].n == 1


def test_max_tokens_is_the_runs_unless_the_block_has_its_own():
    teacher = always("x")
    run(block(teacher, run={"max_num_tokens": 100}), ROWS[:1])
    run(block(teacher, run={"max_num_tokens": 100}, gen_kwargs={"max_tokens": "50"}), ROWS[:1])
    assert [r.options["max_tokens"] for r in teacher.requests] == [100, 50]


def test_every_other_setting_goes_to_the_server_as_it_is():
    teacher = always("x")
    settings = {"top_p": 0.9, "stop": ["\n"], "seed": 1, "extra_body": {"top_k": 5}}
    run(block(teacher, gen_kwargs={**settings, "temperature": "0.7"}), ROWS[:1])
    assert teacher.requests[0].options == {**settings, "temperature": 0.7, "max_tokens": 4096}


def test_several_answers_are_several_rows_and_count_as_added():
    teacher = ScriptedTeacher(lambda r: [f"{r.prompt} {i}" for i in range(r.n)])
    made, account = run(block(teacher, gen_kwargs={"n": 2, "temperature": 0.5}), ROWS[:2])
    assert made["a"].to_pylist() == ["Ask one 0", "Ask one 1", "Ask two 0", "Ask two 1"]
    assert made["k"].to_pylist() == [1, 1, 2, 2]
    assert account.added == 2


def test_several_answers_at_temperature_0_are_sampled_and_a_warning_says_so(caplog):
    teacher = always("x", "y")
    with caplog.at_level(logging.WARNING):
        run(block(teacher, gen_kwargs={"n": 2.0}))
    assert {r.options["temperature"] for r in teacher.requests} == {0.7}
    assert [r.getMessage() for r in caplog.records] == [
        "block 'ask': 2 answers per row need a temperature above 0; taking 0.7"
    ]


def test_scaled_is_the_runs_number_of_instructions():
    teacher = always("x", "y", "z")
    scaled = {"n": "scaled", "temperature": 1}
    run(block(teacher, run={"num_instructions_to_generate": 3}, gen_kwargs=scaled), ROWS[:1])
    assert teacher.requests[0].n == 3
    with pytest.raises(BlockError, match="n is scaled, which needs"):
        block(always("x"), gen_kwargs=scaled).prepare()


def test_one_answer_may_hold_several_rows():
    teacher = always("[A]1[/A] [A]2[/A]")
    made, account = run(block(teacher, TAGGED), ROWS[:1])
    assert made["a"].to_pylist() == ["1", "2"]
    assert account.added == 1


def test_a_row_whose_answer_lacks_a_tag_is_rejected_with_its_text():
    teacher = ScriptedTeacher(lambda r: ["no tag"] if r.prompt == "two" else ["[A]fine[/A]"])
    made, account = run(block(teacher, TAGGED))
    assert made["q"].to_pylist() == ["one", "three"]
    (rejection,) = account.rejections
    assert rejection.row == {"q": "two", "k": 2}
    assert rejection.reason == "parse"
    assert rejection.message == "nothing for 'a' between '[A]' and '[/A]'"
    assert rejection.answer == "no tag"


def test_an_answer_that_was_cut_says_to_raise_max_tokens():
    teacher = always(Choice("[A]and so", "length"))
    _, account = run(block(teacher, TAGGED, gen_kwargs={"max_tokens": 7}), ROWS[:1])
    assert account.rejections[0].message == (
        "nothing for 'a' between '[A]' and '[/A]'; the answer was cut at max_tokens (7), raise it "
        "in gen_kwargs"
    )


def test_what_is_left_over_beside_complete_rows_is_one_rejection():
    config = {"generation": "x", "start_tags": ["[Q]", "[A]"], "end_tags": ["[/Q]", "[/A]"]}
    teacher = always("[Q]a[/Q][A]1[/A][Q]b[/Q][Q]c[/Q]")
    made, account = run(block(teacher, config, output_cols=["qq", "aa"]), ROWS[:1])
    assert made.select(["qq", "aa"]).to_pylist() == [{"qq": "a", "aa": "1"}]
    assert account.rejected_by_reason == {"parse": 1}
    assert account.added == 1


def test_each_of_several_answers_parses_on_its_own():
    teacher = always("[A]1[/A]", "junk", None)
    made, account = run(block(teacher, TAGGED, gen_kwargs={"n": 3, "temperature": 1}), ROWS[:1])
    assert made["a"].to_pylist() == ["1"]
    assert [(r.message, r.answer) for r in account.rejections] == [
        ("nothing for 'a' between '[A]' and '[/A]'", "junk"),
        ("the answer has no text", None),
    ]
    assert account.added == 2


def test_answers_that_the_server_does_not_give_are_rejected():
    teacher = always("x")
    made, account = run(block(teacher, gen_kwargs={"n": 3, "temperature": 1}), ROWS[:2])
    assert len(made) == 2
    assert account.rejected_by_reason == {"teacher": 4}
    assert account.rejections[0].message == "the server gave 1 of 3 answers"


def test_a_request_that_fails_for_good_rejects_its_row_and_no_other():
    def reply(request):
        if "two" in request.prompt:
            raise TeacherError("refused", url="u", status=400, server_message="too long")
        return ["x"]

    made, account = run(block(ScriptedTeacher(reply), gen_kwargs={"n": 1}))
    assert made["q"].to_pylist() == ["one", "three"]
    assert account.rejections[0].reason == "teacher"
    assert account.rejections[0].message == ("teacher at u: refused (the server said: too long)")


def test_a_fatal_error_of_the_teacher_ends_the_block():
    def reply(request):
        raise TeacherError("wrong key", fatal=True)

    teacher = ScriptedTeacher(reply)
    with pytest.raises(TeacherError, match="wrong key"):
        run(block(teacher))


def test_a_missing_column_is_an_error_before_any_request():
    teacher = always("x")
    with pytest.raises(BlockError) as error:
        run(block(teacher, "{{ document }} {{ q }}"))
    assert str(error.value) == (
        "block 'ask' (LLMBlock): prompt config 'p.yaml' asks for 'document', but the rows have no "
        "such column; they have q, k"
    )
    assert not teacher.requests


def test_a_column_that_only_a_branch_needs_rejects_the_rows_that_take_it():
    teacher = always("x")
    made, account = run(block(teacher, "{% if k == 2 %}{{ gone }}{% endif %}{{ q }}"))
    assert made["k"].to_pylist() == [1, 3]
    assert account.rejections[0].reason == "prompt"
    assert "'gone' is undefined" in account.rejections[0].message


def test_a_none_in_the_prompt_is_no_text():
    teacher = always("x")
    run(block(teacher, "<{{ q }}>"), pa.table({"q": pa.array([None], pa.string())}))
    assert teacher.requests[0].prompt == "<>"


def test_an_output_column_takes_the_place_of_one_of_the_same_name():
    made, _ = run(block(always("new"), output_cols=["q"]), ROWS[:1])
    assert made.to_pydict() == {"q": ["new"], "k": [1]}
    assert made.schema.field("k").type == pa.int64()


def test_num_samples_is_a_column_for_the_prompt_unless_the_rows_have_it():
    teacher = always("x")
    config = "{{ num_samples }}"
    made, _ = run(block(teacher, config, batch_kwargs={"num_samples": 30}), ROWS[:1])
    assert made["num_samples"].to_pylist() == [30]
    own = ROWS[:1].append_column("num_samples", pa.array([7]))
    made, _ = run(block(teacher, config, batch_kwargs={"num_samples": 30}), own)
    assert made["num_samples"].to_pylist() == [7]
    assert [r.prompt for r in teacher.requests] == ["30", "7"]


def test_no_rows_make_no_requests_and_keep_their_columns():
    teacher = always("x")
    asking = block(teacher, batch_kwargs={"num_samples": 3})
    made, account = run(asking, ROWS[:0])
    assert made.column_names == ["q", "k", "num_samples", "a"]
    assert asking.columns_after(["q", "k"]) == made.column_names
    assert made.schema.field("a").type == pa.string()
    assert not teacher.requests
    assert account.statistics.usage.requests == 0


def test_when_every_row_is_rejected_the_columns_stay():
    made, account = run(block(always("junk"), TAGGED))
    assert made.column_names == ["q", "k", "a"]
    assert made.num_rows == 0
    assert len(account.rejections) == 3


def test_thousands_of_rows_keep_their_order_and_no_more_than_a_window_is_in_work():
    teacher = ScriptedTeacher(lambda r: [] if r.prompt.endswith("7") else [r.prompt] * 2)
    table = pa.table({"q": list(map(str, range(9001)))})
    made, account = run(block(teacher, "{{ q }}", gen_kwargs={"n": 2, "temperature": 1}), table)
    assert made["a"].to_pylist() == [str(i) for i in range(9001) if i % 10 != 7 for _ in range(2)]
    assert made["q"].to_pylist() == made["a"].to_pylist()
    assert account.rejected_by_reason == {"teacher": 2 * 900}
    assert teacher.most_at_once <= 1024


def test_many_answers_to_few_rows_are_put_together_in_small_parts(monkeypatch):
    monkeypatch.setattr("kfp_sdg.blocks.beside.SLICE", 2)
    given = {"one": 5, "two": 0, "three": 4}
    teacher = ScriptedTeacher(lambda r: [f"{r.prompt}{i}" for i in range(given[r.prompt])])
    made, _ = run(block(teacher, "{{ q }}", gen_kwargs={"n": 5, "temperature": 1}))
    expected = [(q, f"{q}{i}") for q, count in given.items() for i in range(count)]
    assert list(zip(made["q"].to_pylist(), made["a"].to_pylist(), strict=True)) == expected
    assert max(map(len, made["q"].chunks)) == 2


def test_a_custom_parser_takes_the_place_of_the_tags():
    settings = {"parser_name": "custom", "parsing_pattern": r"(\w)=(\d)"}
    teacher = always("a=1, b=2")
    made, _ = run(block(teacher, output_cols=["x", "y"], parser_kwargs=settings), ROWS[:1])
    assert made.select(["x", "y"]).to_pylist() == [{"x": "a", "y": "1"}, {"x": "b", "y": "2"}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parser_kwargs": {"parser_name": "costum"}}, "unknown parser_name 'costum'"),
        ({"parser_kwargs": {"parser_name": "custom"}}, "needs a parsing_pattern"),
        ({"parser_kwargs": {"parsing_pattern": "(x)"}}, "only used with parser_name: custom"),
        (
            {"parser_kwargs": {"parser_name": "custom", "parsing_pattern": "("}},
            "is not a regular expression",
        ),
        ({"output_cols": ["a", "b"]}, "output_cols has 2 columns"),
        ({"output_cols": []}, "one or more names"),
        ({"output_cols": ["a", "a"]}, "no twins"),
        ({"model_prompt": "{prompt}"}, "has no {{prompt}}"),
        ({"model_prompt": "<s>{{ add_generation_prompt }}"}, "has no {{prompt}}"),
        ({"model_prompt": "{{ prompt }} {{ q }}"}, "asks for q"),
        ({"model_prompt": "{{"}, "model_prompt is not a template"),
        ({"gen_kwargs": {"n": 0}}, "gen_kwargs.n is 0"),
        ({"gen_kwargs": {"n": 1.5}}, "gen_kwargs.n is 1.5"),
        ({"gen_kwargs": {"n": "2"}}, "gen_kwargs.n is '2'"),
        ({"gen_kwargs": {"max_tokens": "many"}}, "'many'"),
        ({"config_path": "q.yaml"}, "config file 'q.yaml' is not part of the pipeline"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_the_blocks_name(settings, message):
    with pytest.raises(BlockError, match=r"block 'ask'") as error:
        block(always("x"), **settings)
    assert message in str(error.value)


def test_a_broken_template_names_its_config():
    with pytest.raises(BlockError, match=r"block 'ask' \(LLMBlock\): prompt config 'p.yaml': line"):
        block(always("x"), "{% if %}")


def test_it_works_on_datasets_as_well():
    from datasets import Dataset

    made = block(always("x")).generate(Dataset.from_list([{"q": "one"}]))
    assert made.to_list() == [{"q": "one", "a": "x"}]
