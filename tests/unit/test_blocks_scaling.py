"""``scaled``: how many answers and samples a row gets by the scale factor, its own or the run's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from engine_runs import FILES, asking, tagged
from kfp_sdg.blocks import Account, PipelineContext
from kfp_sdg.blocks.llm import LLMBlock
from kfp_sdg.blocks.llm_messages import LLMMessagesBlock
from kfp_sdg.engine import RunResult, run
from kfp_sdg.errors import BlockError
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.spec.scaling import SCALE_COLUMN, Amount
from kfp_sdg.teacher import TeacherOptions, TeacherPool, connect
from kfp_sdg.teacher.journal import open_journal
from scripted_teacher import ScriptedTeacher, always, assert_books_balance, context, pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from stub_teacher import StubTeacher

TAGGED = {"generation": "{{ q }}", "start_tags": ["[A]"], "end_tags": ["[/A]"]}


def block(teacher: ScriptedTeacher, config: Any = "{{ q }}", **settings: Any) -> LLMBlock:
    run = {"num_instructions_to_generate": 30, **settings.pop("run", {})}
    config_path = {"config_path": "p.yaml", "output_cols": ["a"]}
    made = pipeline(p=config)
    return LLMBlock(context(teacher, **run), made, "ask", **config_path, **settings)


def rows(*scales: Any) -> pa.Table:
    questions = [f"q{number}" for number in range(len(scales))]
    return pa.table({"q": questions, SCALE_COLUMN: pa.array(scales)})


def echo() -> ScriptedTeacher:
    return ScriptedTeacher(lambda request: [f"{i}" for i in range(request.n)])


def through(asking: LLMBlock, table: pa.Table) -> tuple[pa.Table, Account]:
    account = Account()
    made = asking.apply(table, account)
    assert_books_balance(len(table), len(made), account)
    return made, account


@pytest.mark.parametrize(
    ("setting", "at_30", "at_7"),
    [
        ("scaled", 30, 7),
        ("scaled/3", 10, 3),
        ("scaled*5/3", 50, 12),
        ("scaled * 2", 60, 14),
        ("scaled/100", 1, 1),
        (4, 4, 4),
        (2.0, 2, 2),
    ],
)
def test_an_amount_is_a_number_or_a_share_of_the_scale_factor_rounded_up(
    setting: Any, at_30: int, at_7: int
) -> None:
    amount = Amount.read(setting, "n")
    assert (amount.of(30), amount.of(7)) == (at_30, at_7)


@pytest.mark.parametrize(
    "setting",
    ["", "scale", "scaled*", "scaled*0", "scaled/0", "scaled*1.5", "scaled-1", "2*scaled", "2"],
)
def test_text_that_is_no_share_is_refused_with_examples(setting: str) -> None:
    with pytest.raises(ValueError, match=r"n is .*; expected a whole number .* scaled\*5/3"):
        Amount.read(setting, "n")


@pytest.mark.parametrize("setting", [0, -1, 1.5, True, None, [], float("inf"), float("nan")])
def test_what_is_no_number_from_1_is_refused(setting: Any) -> None:
    with pytest.raises(ValueError, match="expected a whole number from 1"):
        Amount.read(setting, "n")


def test_a_row_gets_as_many_answers_as_its_own_scale_factor_says_or_else_the_runs() -> None:
    teacher = echo()
    made, account = through(
        block(teacher, gen_kwargs={"n": "scaled/3", "temperature": 1}), rows(6, None, 2)
    )
    assert {r.prompt: r.n for r in teacher.requests} == {"q0": 2, "q1": 10, "q2": 1}
    assert made.num_rows == 13
    assert account.added == 10


def test_a_plain_number_is_not_touched_by_the_rows_scale_factor() -> None:
    teacher = echo()
    through(block(teacher, gen_kwargs={"n": 2, "temperature": 1}), rows(6, None))
    assert [r.n for r in teacher.requests] == [2, 2]


def test_answers_that_are_missing_are_counted_by_the_rows_own_number() -> None:
    made, account = through(
        block(always("one"), gen_kwargs={"n": "scaled", "temperature": 1}), rows(3, 1)
    )
    assert made.num_rows == 2
    assert [r.message for r in account.rejections] == ["the server gave 1 of 3 answers"] * 2
    assert {r.row["q"] for r in account.rejections} == {"q0"}


def test_only_rows_with_several_answers_are_sampled() -> None:
    teacher = echo()
    through(block(teacher, gen_kwargs={"n": "scaled"}), rows(1, 2))
    assert {r.prompt: r.options["temperature"] for r in teacher.requests} == {"q0": 0, "q1": 0.7}


@pytest.mark.parametrize("cell", ["many", "0", "-3"])
def test_a_row_whose_scale_factor_is_no_number_is_rejected_with_it(cell: str) -> None:
    teacher = echo()
    settings = {"gen_kwargs": {"n": "scaled"}, "batch_kwargs": {"num_samples": "scaled"}}
    for name, value in settings.items():
        made, account = through(block(teacher, **{name: value}), rows("2", cell))
        assert set(made["q"].to_pylist()) == {"q0"}
        assert account.rejected_by_reason == {"scale": 1}
        assert account.rejections[0].message == (
            f"{SCALE_COLUMN} is {cell!r}; expected a whole number from 1"
        )


def test_samples_follow_the_scale_factor_of_the_row_and_then_of_the_run() -> None:
    teacher = always("x")
    asking = block(teacher, "{{ num_samples }}", batch_kwargs={"num_samples": "scaled*5/3"})
    made, _ = through(asking, rows(6, None))
    assert made["num_samples"].to_pylist() == [10, 50]
    assert made.schema.field("num_samples").type == pa.int64()
    made, _ = through(asking, pa.table({"q": ["a"]}))
    assert made["num_samples"].to_pylist() == [50]
    own = pa.table({"q": ["a"], "num_samples": [7]})
    assert through(asking, own)[0]["num_samples"].to_pylist() == [7]
    assert [r.prompt for r in teacher.requests] == ["10", "50", "50", "7"]


def test_a_grammar_lets_as_many_entries_come_as_the_row_asks_for() -> None:
    teacher = always("[A]x[/A]")
    settings: dict[str, Any] = {"batch_kwargs": {"num_samples": "scaled"}}
    through(block(teacher, TAGGED, run={"constrain": True}, **settings), rows(2, 4, None))
    roots = {r.prompt: r.options["extra_body"]["grammar"].splitlines()[0] for r in teacher.requests}
    assert roots == {
        "q0": "root ::= entry (gap entry){1,1}",
        "q1": "root ::= entry (gap entry){3,3}",
        "q2": "root ::= entry (gap entry){29,29}",
    }


@pytest.mark.parametrize(
    "settings",
    [{"gen_kwargs": {"n": "scaled/3"}}, {"batch_kwargs": {"num_samples": "scaled"}}],
)
def test_without_a_scale_factor_of_the_run_a_block_that_follows_it_is_not_ready(
    settings: dict[str, Any],
) -> None:
    asking = block(always("x"), run={"num_instructions_to_generate": None}, **settings)
    with pytest.raises(BlockError, match=r"is scaled, which needs .*--num-instructions"):
        asking.prepare()


def test_messages_are_answered_as_often_as_the_row_says() -> None:
    teacher = echo()
    talk = [{"role": "user", "content": "hello"}]
    made = LLMMessagesBlock(
        context(teacher, num_instructions_to_generate=3),
        pipeline(),
        "say",
        input_col="talk",
        output_col="said",
        gen_kwargs={"n": "scaled"},
    ).apply(pa.table({"talk": [talk, talk], SCALE_COLUMN: [1, 2]}), Account())
    assert made["said"].to_pylist() == [["0"], ["0", "1"]]


ASK = asking("ask", "a", n="scaled", temperature=1)


def run_rows(teachers: TeacherPool, table: pa.Table) -> RunResult:
    context = PipelineContext(teachers, "blank", num_instructions_to_generate=2)
    return run(PipelineSpec((ASK,), FILES), table, context)


def topics(*scales: int | None) -> pa.Table:
    named = [str(number) for number in range(len(scales))]
    return pa.table({"topic": named, SCALE_COLUMN: pa.array(scales, pa.int64())})


def test_a_block_may_reject_its_share_of_what_rows_ask_for_themselves(monkeypatch: Any) -> None:
    monkeypatch.setattr("kfp_sdg.engine.tolerance.LEAST", 0)
    rejected = ScriptedTeacher(lambda r: ["bad"] * 4 + [tagged("good")] * (r.n - 4))
    with TeacherPool(rejected) as teachers:
        result = run_rows(teachers, topics(100))
    assert result.rows.num_rows == 96


def test_rows_are_kept_in_the_journal_under_the_number_they_asked_for(
    tmp_path: Path, stub_teacher: StubTeacher
) -> None:
    def asked(table: pa.Table) -> tuple[int, int]:
        with (
            open_journal(tmp_path / "journal") as journal,
            connect(TeacherOptions(url=stub_teacher.url), journal=journal) as teachers,
        ):
            [entry] = run_rows(teachers, table).history
        return entry.requests, entry.journal_hits

    assert asked(topics(3, None, 5)) == (3, 0)
    assert asked(topics(3, None, 5)) == (0, 3)
    assert asked(topics(3, None, 6)) == (1, 2)
    assert asked(topics(3, 2, 6)) == (0, 3), "the run's own number, said by the row"


def test_iterations_ask_as_often_as_the_row_says() -> None:
    teacher = echo()
    config = {"num_iters": 2, "block_type": "LLMBlock", **ASK.config}
    with TeacherPool(teacher) as teachers:
        context = PipelineContext(
            teachers, "blank", num_instructions_to_generate=2, max_rejected="100%"
        )
        spec = PipelineSpec((BlockSpec("twice", "IterBlock", config),), FILES)
        [entry] = run(spec, topics(3, None), context).history
    assert [r.n for r in teacher.requests] == [3, 2, 3, 2]
    assert entry.rows_in + entry.added == entry.rows_out + entry.rejected == 10
