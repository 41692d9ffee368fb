"""How rows flow: blocks overlap, nothing waits for one slow answer, and every stop is in order."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pyarrow as pa
import pytest

from engine_runs import ASK, FILES, JUDGE, TOPICS, Notes, asked, asking, tagged
from kfp_sdg.blocks import Block, BlockRegistry, PipelineContext
from kfp_sdg.blocks.llm import LLMBlock
from kfp_sdg.engine import RunResult, run, run_block
from kfp_sdg.errors import BlockError, StorageError, TeacherError, Terminated
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import Answer, Choice, TeacherPool, Usage
from scripted_teacher import ScriptedTeacher, always

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.teacher import Request

COPY = BlockSpec("copy", "DuplicateColumnsBlock", {"columns_map": {"topic": "t"}})
LONGEST_WAIT = 20.0


class Patient:
    """A teacher who answers some requests only once something has happened.

    Attributes:
        asked: The prompts so far.
        listed: Its models.
    """

    listed: tuple[str, ...] = ("m",)

    def __init__(self, holds: Callable[[str], bool], until: Callable[[Patient], bool]) -> None:
        self.asked: list[str] = []
        self._holds, self._until = holds, until

    async def complete(self, request: Request) -> Answer:
        assert isinstance(request.prompt, str)
        self.asked.append(request.prompt)
        async with asyncio.timeout(LONGEST_WAIT):
            while self._holds(request.prompt) and not self._until(self):
                await asyncio.sleep(0.001)
        usage = Usage(1, 1, 1)
        request.statistics.note_answer(0.0, usage)
        return Answer((Choice(tagged("fine"), "stop"),), usage)

    chat = complete

    async def models(self) -> tuple[str, ...]:
        return self.listed

    async def has_completions(self) -> bool:
        return True

    async def close(self) -> None:
        pass


def test_a_row_is_judged_while_others_are_still_being_asked() -> None:
    teacher = Patient(lambda prompt: prompt == "Ask about 99", lambda t: "Judge 98" in t.asked)
    result = asked(teacher, ASK, JUDGE, rows=TOPICS(100))
    assert result.rows["topic"].to_pylist() == TOPICS(100)["topic"].to_pylist()


def test_one_hanging_request_leaves_the_teacher_no_place_empty() -> None:
    everything = {f"Ask about {number}" for number in range(3000)}
    teacher = Patient(lambda prompt: prompt == "Ask about 0", lambda t: everything <= set(t.asked))
    assert asked(teacher, ASK, JUDGE, rows=TOPICS(3000)).rows.num_rows == 3000


def test_a_slow_second_server_does_not_keep_the_first_one_waiting() -> None:
    everything = {f"Ask about {number}" for number in range(6000)}
    first = Patient(lambda prompt: False, lambda t: True)
    slow = Patient(lambda prompt: True, lambda t: everything <= set(first.asked))
    slow.listed = ("slow",)
    judge = BlockSpec("judge", "LLMBlock", {**JUDGE.config, "model_id": "slow"})
    with TeacherPool(first, {"slow": slow}) as teachers:
        context = PipelineContext(teachers, "blank")
        result = run(PipelineSpec((ASK, judge), FILES), TOPICS(6000), context)
    assert [entry.model for entry in result.history] == ["m", "slow"]
    assert result.rows.num_rows == 6000


def test_later_iterations_are_asked_while_the_first_is_under_way() -> None:
    again = BlockSpec(
        "again", "IterBlock", {"num_iters": 3, "block_type": "LLMBlock", **ASK.config}
    )
    teacher = Patient(lambda prompt: True, lambda t: len(t.asked) == 30)
    result = asked(teacher, again, rows=TOPICS(10))
    assert result.rows["topic"].to_pylist() == [str(n) for n in range(10)] * 3
    [entry] = result.history
    assert (entry.rows_in, entry.added, entry.rows_out, entry.requests) == (10, 20, 30, 30)


def test_no_more_is_outstanding_than_keeps_the_teacher_busy() -> None:
    outstanding: list[int] = []

    class Counting(ScriptedTeacher):
        async def _answer(self, request: Request) -> Answer:
            self.at_once += 1
            outstanding.append(self.at_once)
            await asyncio.sleep(0)
            self.at_once -= 1
            return Answer((Choice(tagged("x"), "stop"),), Usage(1))

    with (
        TeacherPool(Counting(lambda r: ())) as teachers,
        mock.patch.object(teachers, "concurrency", return_value=10),
    ):
        run(PipelineSpec((ASK,), FILES), TOPICS(5000), PipelineContext(teachers, "blank"))
    assert len(outstanding) == 5000
    assert max(outstanding) <= 2 * 10 + 256


def test_the_stages_of_a_run_start_and_finish_in_order_and_tell_every_row_once() -> None:
    notes = Notes()
    teacher = ScriptedTeacher(lambda r: ["junk"] if r.prompt == "Ask about 7" else [tagged("fine")])
    asked(teacher, COPY, ASK, JUDGE, rows=TOPICS(600), observer=notes)
    assert [t[1:] for t in notes.told if t[0] == "started"] == [
        (1, "copy", 600),
        (2, "ask", 600),
        (3, "judge", None),
    ]
    assert [t[2] for t in notes.told if t[0] == "finished"] == ["copy", "ask", "judge"]
    for index, arrived, rejected, requests in ((1, 600, 0, 0), (2, 600, 1, 600), (3, 599, 0, 599)):
        told = [t for t in notes.told if t[:2] == ("progress", index)]
        assert sum(t[2] for t in told) == sum(t[3] for t in told) == arrived
        assert sum(t[4] for t in told) == rejected
        assert sum((t[5] for t in told), Usage()).requests == requests
        finished = next(i for i, t in enumerate(notes.told) if t[:2] == ("finished", index))
        assert all(t[1] != index for t in notes.told[finished + 1 :])


class Stopping(Notes):
    """Stops the run when a block has made some progress."""

    def __init__(self, error: BaseException, name: int = 1, rows: int = 300) -> None:
        super().__init__()
        self._error, self._name, self._rows, self._done = error, name, rows, 0

    def block_progress(self, index: int, **told: Any) -> None:
        if index == self._name and self._error is not None:
            self._done += told["done"]
            if self._done >= self._rows:
                raise self._error


def in_balance(partial: RunResult, rows: int) -> None:
    assert partial.rows.num_rows == partial.history[-1].rows_out
    for entry in partial.history:
        assert entry.rows_in <= rows
        assert entry.rows_in + entry.added == (
            entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        )
        rejected = partial.rejected.get(entry.block)
        assert entry.rejected == (rejected.num_rows if rejected else 0)
        rows = entry.rows_out


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_a_run_that_is_interrupted_hands_over_the_rows_that_came_through(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kfp_sdg.engine.segment.SECONDS_BETWEEN_TELLS", 0.0)
    teacher = Patient(lambda prompt: prompt.endswith(" 1500"), lambda t: False)
    notes = Stopping(error, name=2)
    unique = BlockSpec("judge", "LLMBlock", JUDGE.config, drop_duplicates=("topic",))
    rows = pa.concat_tables([TOPICS(1000), TOPICS(1000), TOPICS(1000)])
    with pytest.raises(type(error)):
        asked(teacher, ASK, unique, rows=rows, observer=notes)
    assert notes.partial is not None
    partial, block_name = notes.partial
    assert block_name == "ask"
    assert partial.history[1].rows_in >= 300
    in_balance(partial, 3000)
    assert partial.rows["topic"].to_pylist() == [str(n) for n in range(partial.rows.num_rows)]


def test_the_same_teachers_serve_the_next_run_after_an_interrupt() -> None:
    cancelled = []

    class Hanging(ScriptedTeacher):
        asleep = True

        async def _answer(self, request: Request) -> Answer:
            if self.asleep:
                try:
                    await asyncio.sleep(LONGEST_WAIT)
                finally:
                    cancelled.append(request.prompt)
            return await super()._answer(request)

    teacher = Hanging(lambda r: [tagged("fine")])
    spec = PipelineSpec((ASK,), FILES)
    with TeacherPool(teacher) as teachers:
        context = PipelineContext(teachers, "blank")
        timer = threading.Timer(0.2, _interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run(spec, TOPICS(50), context)
        timer.join()
        assert len(cancelled) == 50
        teacher.asleep = False
        assert run(spec, TOPICS(50), context).rows.num_rows == 50


def _interrupt_main() -> None:
    import signal

    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.parametrize(
    ("error", "has_journal", "drained"),
    [
        (Terminated(), True, True),
        (Terminated(), False, False),
        (BlockError("too many"), True, True),
        (KeyboardInterrupt(), True, False),
        (TeacherError("no key", fatal=True), True, False),
    ],
)
def test_answers_in_the_making_are_waited_for_where_they_are_kept(
    error: BaseException, has_journal: bool, drained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kfp_sdg.engine.segment.SECONDS_BETWEEN_TELLS", 0.0)
    teacher = Patient(lambda prompt: prompt.endswith(" 100"), lambda t: False)
    drains: list[float] = []
    journal = mock.Mock() if has_journal else None
    with TeacherPool(teacher, journal=journal) as teachers:
        monkeypatch.setattr(teachers, "drain", drains.append)
        context = PipelineContext(teachers, "blank")
        spec = PipelineSpec((ASK,), FILES)
        with pytest.raises(type(error)):
            run(spec, TOPICS(1000), context, observer=Stopping(error))
    assert drains == ([25.0] if drained else [])


def test_a_journal_that_cannot_be_written_stops_the_run_in_its_own_words() -> None:
    def full(request: Request) -> list[str]:
        raise StorageError("no space left")

    with pytest.raises(StorageError, match="no space left"):
        asked(ScriptedTeacher(full))


def test_a_defect_of_a_custom_block_names_block_and_row(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(LLMBlock):
        def question(self, row: Any) -> Any:
            return {}["nothing"] if row["topic"] == "3" else super().question(row)

    class Even(LLMBlock):
        def read(self, row: Any, answer: Any) -> Any:
            raise ValueError("unreadable")

    for kind, told in ((Odd, "row 3: failed: KeyError"), (Even, "failed: ValueError: unreadable")):
        monkeypatch.setitem(BlockRegistry.get_registry(), kind.__name__, kind)
        with pytest.raises(BlockError, match=told) as caught:
            asked(always(tagged("x")), BlockSpec("mine", kind.__name__, ASK.config))
        assert caught.value.block_name == "mine"


class Twice(LLMBlock):
    """A custom block as InstructLab's users write it: it asks, then asks again."""

    def generate(self, samples: Any) -> Any:
        again = super().generate(samples).rename_column("a", "first")
        return super().generate(again)


def test_a_custom_block_that_asks_for_itself_is_given_the_whole_dataset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BlockRegistry.get_registry(), "Twice", Twice)
    teacher = ScriptedTeacher(lambda r: [tagged(str(len(teacher.requests)))])
    result = asked(teacher, BlockSpec("twice", "Twice", ASK.config), COPY, rows=TOPICS(300))
    assert result.rows.column_names == ["topic", "first", "a", "t"]
    assert (result.history[0].requests, result.history[0].model) == (600, "m")


def test_equal_questions_of_a_custom_block_have_keys_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BlockRegistry.get_registry(), "Twice", Twice)
    teacher = always(tagged("x"))
    with TeacherPool(teacher, journal=mock.Mock()) as teachers:
        block = BlockSpec("twice", "Twice", ASK.config)
        context = PipelineContext(teachers, "blank")
        run_block(block, PipelineSpec((block,), FILES), TOPICS(3), context)
    assert len({request.key for request in teacher.requests}) == 6


def test_a_column_that_is_missing_after_a_custom_block_is_found_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dropping(Block):
        def generate(self, samples: Any) -> Any:
            return samples.remove_columns(["topic"]).add_column("other", ["x"] * len(samples))

    monkeypatch.setitem(BlockRegistry.get_registry(), "Dropping", Dropping)
    teacher = always(tagged("x"))
    rows = pa.table({"topic": ["1"], "b": ["2"]})
    with pytest.raises(BlockError, match=r"'judge'.* asks for 'topic'.*they have b, other"):
        asked(teacher, BlockSpec("drop", "Dropping"), JUDGE, rows=rows)
    assert not teacher.requests


def test_an_empty_input_asks_nobody_and_keeps_the_columns_of_all_blocks() -> None:
    teacher = always(tagged("x"))
    again = BlockSpec(
        "again", "IterBlock", {"num_iters": 2, "block_type": "LLMBlock", **JUDGE.config}
    )
    result = asked(teacher, ASK, again, COPY, rows=TOPICS(0))
    assert result.rows.schema.names == ["topic", "a", "j", "t"]
    assert result.rows.num_rows == 0
    assert [entry.rows_in for entry in result.history] == [0, 0, 0]
    assert not teacher.requests


def test_prompts_that_begin_alike_are_sent_one_after_another() -> None:
    documents = [f"document {number} " * 30 for number in range(4)]
    rows = pa.table({"topic": [documents[n % 4] + str(n) for n in range(40)]})
    teacher = always(tagged("x"))
    result = asked(teacher, asking("ask", "a", max_tokens=5), rows=rows)
    sent = [request.index % 4 for request in teacher.requests]
    assert sent == sorted(sent)
    assert result.rows["topic"].to_pylist() == rows["topic"].to_pylist()


def test_prompts_that_share_little_are_sent_in_the_order_of_the_rows() -> None:
    teacher = always(tagged("x"))
    asked(teacher, rows=pa.table({"topic": [f"{n * 37 % 100} is odd" for n in range(100)]}))
    assert [request.index for request in teacher.requests] == list(range(100))


def test_the_rows_of_a_long_run_are_put_together_in_few_chunks() -> None:
    rows = asked(always(tagged("x")), ASK, JUDGE, rows=TOPICS(6000)).rows
    assert rows.num_rows == 6000
    assert rows["a"].num_chunks < 60
