"""--max-rejected: how many bad rows a run puts up with, and what it says when there are more."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from engine_runs import ASK, FILES, TOPICS, Notes, asked, asking, tagged
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import Tolerance, run, run_block
from kfp_sdg.errors import BlockError, SpecError, TeacherError
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import RequestStatistics, TeacherPool
from scripted_teacher import ScriptedTeacher, always


@pytest.mark.parametrize(
    ("text", "rows", "allowed"),
    [
        ("5%", 1000, 50),
        ("5%", 100, 20),
        ("5%", 0, 20),
        ("0%", 1000, 0),
        ("0.0 %", 1000, 0),
        ("12.5 %", 1000, 125),
        (".5%", 10_000, 50),
        ("50", 10, 50),
        ("0", 10, 0),
        (" 7 ", 10_000, 7),
        ("100%", 3, math.inf),
    ],
)
def test_a_share_is_of_the_rows_and_never_below_twenty_unless_it_is_none(
    text: str, rows: int, allowed: float
) -> None:
    assert Tolerance.read(text).allowed(rows) == allowed


@pytest.mark.parametrize("text", ["", "many", "-1", "-5%", "101%", "5 percent", "0.05", "1e3", "%"])
def test_what_is_no_tolerance_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(SpecError, match=r"--max-rejected.*a share of the block's rows") as caught:
        Tolerance.read(text)
    assert repr(text) in str(caught.value)


def test_a_wrong_tolerance_is_found_before_anything_is_asked() -> None:
    teacher = always("[A]1[/A]")
    with pytest.raises(SpecError):
        asked(teacher, max_rejected="some")
    assert not teacher.requests


def bad_first(bad: int) -> ScriptedTeacher:
    """A teacher who answers the first so many topics in a way that does not parse."""
    return ScriptedTeacher(
        lambda r: ["junk"] if int(r.prompt.split()[-1]) < bad else ["[A]fine[/A]"]
    )


def test_as_many_bad_rows_as_are_tolerated_do_not_stop_a_run() -> None:
    assert asked(bad_first(20)).history[0].rejected == 20
    assert asked(bad_first(60), max_rejected="100%").history[0].rejected == 60
    assert asked(bad_first(60), max_rejected="60").history[0].rejected == 60
    assert asked(bad_first(60), max_rejected="12%").history[0].rejected == 60


@pytest.mark.parametrize(("setting", "bad"), [("5%", 26), ("20", 21), ("0", 1), ("10%", 51)])
def test_one_bad_row_more_stops_it_and_says_why_with_an_example(setting: str, bad: int) -> None:
    with pytest.raises(BlockError) as caught:
        asked(bad_first(bad), max_rejected=setting)
    told = str(caught.value)
    assert f"{bad} of 500 rows were rejected" in told
    assert f"(parse {bad}; for example: nothing for 'a' between '[A]' and '[/A]')" in told
    assert f"above --max-rejected {setting}" in told
    assert caught.value.block_name == "ask"


def test_a_burst_of_bad_rows_at_the_start_does_not_stop_a_run_that_ends_well() -> None:
    teacher = bad_first(100)
    assert asked(teacher, rows=TOPICS(2000)).history[0].rejected == 100


def test_hopeless_rows_stop_a_run_before_all_of_them_are_paid_for() -> None:
    teacher = always("junk")
    with pytest.raises(BlockError, match="above --max-rejected 5%"):
        asked(teacher, rows=TOPICS(5000))
    assert len(teacher.requests) < 2500


def test_rejected_rows_of_a_run_that_was_stopped_are_handed_over_with_their_reasons() -> None:
    notes = Notes()
    with pytest.raises(BlockError):
        asked(always("junk"), observer=notes)
    assert notes.partial is not None
    partial, block_name = notes.partial
    assert block_name == "ask"
    assert partial.rows.equals(TOPICS(500))  # nothing came through: what it started from
    assert partial.history == ()
    [entry] = partial.unfinished
    assert partial.rejected["ask"].num_rows == entry.rejected == entry.rows_in > 25
    assert partial.rejected["ask"]["rejected_answer"].to_pylist()[0] == "junk"


def test_column_blocks_and_single_blocks_are_held_to_it_too() -> None:
    choose = BlockSpec(
        "choose",
        "SelectorBlock",
        {"choice_map": {"x": "topic"}, "choice_col": "topic", "output_col": "c"},
    )
    pipe = PipelineSpec((choose,))
    with pytest.raises(BlockError, match=r"block 'choose'.*30 of 30 rows.*\(choice 30"):
        run(pipe, TOPICS(30), PipelineContext())
    with pytest.raises(BlockError, match="30 of 30 rows"):
        run_block(choose, pipe, TOPICS(30), PipelineContext())
    assert run_block(choose, pipe, TOPICS(20), PipelineContext()).entry.rejected == 20


def failing(good: frozenset[int] = frozenset()) -> ScriptedTeacher:
    def reply(request: Any) -> list[str]:
        if int(request.prompt.split()[-1]) in good:
            return [tagged("fine")]
        raise TeacherError("no credit left", url="http://t/v1", status=402)

    return ScriptedTeacher(reply)


def test_a_teacher_who_fails_every_request_stops_the_run_in_the_teachers_name() -> None:
    teacher = failing()
    with pytest.raises(TeacherError, match=r"'ask'.*all of the first \d+ .*no credit") as caught:
        asked(teacher, rows=TOPICS(5000), max_rejected="100%")
    assert caught.value.fatal
    assert len(teacher.requests) < 2500


def test_four_failures_are_the_rows_fault_and_so_are_all_but_one() -> None:
    assert asked(failing(), rows=TOPICS(4)).history[0].rejected == 4
    with pytest.raises(TeacherError):
        asked(failing(), rows=TOPICS(5))
    result = asked(failing(frozenset({199})), rows=TOPICS(200), max_rejected="100%")
    assert result.rows.num_rows == 1


def test_a_failing_teacher_stops_one_block_of_a_task_as_well() -> None:
    pipe = PipelineSpec((ASK,), FILES)
    with (
        TeacherPool(failing()) as pool,
        pytest.raises(TeacherError, match="all of the first 10 requests failed"),
    ):
        run_block(ASK, pipe, TOPICS(10), PipelineContext(pool, "blank"))


def test_a_table_of_rejected_rows_has_the_columns_of_the_input() -> None:
    rejected = asked(bad_first(2), rows=TOPICS(3)).rejected["ask"]
    assert rejected.column_names[:1] == ["topic"]
    assert isinstance(rejected, pa.Table)


def test_answers_that_do_not_parse_are_counted_while_the_block_is_at_work() -> None:
    seen: list[RequestStatistics] = []

    class Watching(Notes):
        def block_started(self, *told: Any) -> None:
            seen.append(told[-1])

    teacher = ScriptedTeacher(lambda r: ["junk" if r.index % 10 == 0 else tagged("x"), "junk"])
    ask = asking("ask", "a", n=2, temperature=0.5)
    result = asked(teacher, ask, rows=TOPICS(50), observer=Watching(), max_rejected="100%")
    assert [statistics.parse_failures for statistics in seen] == [55]
    assert result.history[0].rejected_by_reason == {"parse": 55}
