"""A block's books by leaf: they add up to its books, whatever the chunks and the runner."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest import mock

import pyarrow as pa
import pytest

from engine_runs import ASK, FILES, JUDGE, Notes, tagged
from kfp_sdg.blocks import Block, BlockRegistry, PipelineContext, asking_stream
from kfp_sdg.engine import RunResult, run, run_block
from kfp_sdg.errors import TeacherError
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.storage import GROUP_COLUMN, GroupBooks, HistoryEntry
from kfp_sdg.teacher import Request, TeacherPool
from scripted_teacher import ScriptedTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset

LEAVES = ["birds", "cats", "birds", "dogs", None]


def rows(count: int) -> pa.Table:
    """Rows in turn of three leaves and of none."""
    leaves = [LEAVES[number % len(LEAVES)] for number in range(count)]
    return pa.table({"topic": [str(n) for n in range(count)], GROUP_COLUMN: leaves})


def answers(request: Request) -> list[str]:
    """Answers of which some do not parse, some fail, and some are the same."""
    number = int(str(request.prompt).split()[-1])
    if number % 10 == 7:
        raise TeacherError("poisoned")
    texts = [tagged(f"{number % 4}"), "no tags"][: 1 + number % 2]
    return [*texts, tagged("again")][: request.n]


def through(table: pa.Table, *blocks: BlockSpec, **settings: Any) -> RunResult:
    with TeacherPool(ScriptedTeacher(answers)) as teachers:
        context = PipelineContext(teachers, "blank", max_rejected="100%", **settings)
        return run(PipelineSpec(blocks, FILES), table, context)


ASK_TWICE = BlockSpec(
    "ask", "LLMBlock", {**ASK.config, "gen_kwargs": {"n": 2}}, drop_duplicates=("a", GROUP_COLUMN)
)
KEEP = BlockSpec(
    "keep",
    "FilterByValueBlock",
    {"filter_column": "a", "filter_value": ["1", "3"], "operation": "eq"},
)
PIPELINE = (ASK_TWICE, JUDGE, KEEP)


def known(entry: HistoryEntry, column: str, of: pa.Table) -> Counter[str]:
    return Counter(name for name in of.column(column).to_pylist() if name is not None)


def test_the_books_of_the_leaves_say_where_the_rows_of_each_went() -> None:
    result = through(rows(100), *PIPELINE)

    ask, _, keep = result.history
    assert {name: books.rows_in for name, books in ask.groups.items()} == {
        "birds": 40,
        "cats": 20,
        "dogs": 20,
    }
    rejected = result.rejected["ask"].select([GROUP_COLUMN, "rejected_reason"]).to_pylist()
    for name, books in ask.groups.items():
        reasons = Counter(r["rejected_reason"] for r in rejected if r[GROUP_COLUMN] == name)
        assert books.rejected_by_reason == dict(reasons)
        assert books.rejected == reasons.total()
    assert {"parse", "teacher"} <= ask.groups["birds"].rejected_by_reason.keys()
    left = known(keep, GROUP_COLUMN, result.rows)
    assert {name: books.rows_out for name, books in keep.groups.items()} == {
        name: left[name] for name in keep.groups
    }
    assert all(b.filtered == b.rows_in - b.rows_out for b in keep.groups.values())
    assert any(books.duplicates for books in ask.groups.values())
    assert keep.filtered > 0


def test_with_the_rows_of_no_leaf_the_books_of_the_leaves_are_the_books_of_the_block() -> None:
    table = rows(100)
    named = table.filter(table.column(GROUP_COLUMN).is_valid())
    for entry in through(named, *PIPELINE).history:
        groups = entry.groups.values()
        assert sum(g.rows_in for g in groups) == entry.rows_in
        assert sum(g.rows_out for g in groups) == entry.rows_out
        assert sum(g.duplicates for g in groups) == entry.duplicates
        assert sum(g.rejected for g in groups) == entry.rejected
        assert entry.rows_in + entry.added == (
            sum(g.rows_out + g.duplicates + g.rejected for g in groups) + entry.filtered
        )


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_the_books_of_the_leaves_are_the_same_in_any_chunks_and_block_by_block(chunk: int) -> None:
    table = rows(60)
    with mock.patch.object(asking_stream, "BATCH", chunk):
        result = through(table, *PIPELINE)
    whole = through(table, *PIPELINE)
    assert [e.groups for e in result.history] == [e.groups for e in whole.history]

    alone = []
    with TeacherPool(ScriptedTeacher(answers)) as teachers:
        context = PipelineContext(teachers, "blank", max_rejected="100%")
        spec = PipelineSpec(PIPELINE, FILES)
        for block in PIPELINE:
            outcome = run_block(block, spec, table, context)
            alone.append(outcome.entry.groups)
            table = outcome.rows
    assert alone == [e.groups for e in whole.history]


def test_iterations_count_a_leafs_input_once() -> None:
    config = {"num_iters": 3, "block_type": "LLMBlock", **ASK.config}
    [entry] = through(rows(10), BlockSpec("thrice", "IterBlock", config)).history
    assert entry.groups["birds"] == GroupBooks(4, 9, 0, {"teacher": 3})
    assert entry.groups["cats"] == GroupBooks(2, 6)


def test_a_run_that_stops_has_the_books_of_the_leaves_for_what_is_settled() -> None:
    def stops(request: Request) -> list[str]:
        if request.prompt == "Ask about 9":
            raise TeacherError("away", fatal=True)
        return answers(request)

    notes = Notes()
    with TeacherPool(ScriptedTeacher(stops)) as teachers:
        context = PipelineContext(teachers, "blank", max_rejected="100%")
        with pytest.raises(TeacherError):
            run(PipelineSpec((ASK,), FILES), rows(10), context, observer=notes)

    assert notes.partial is not None
    result, _ = notes.partial
    for entry in (*result.history, *result.unfinished):
        assert sum(books.rows_in for books in entry.groups.values()) <= entry.rows_in
        assert sum(books.rows_out for books in entry.groups.values()) <= entry.rows_out


class Forgetful(Block):
    """A block that keeps one column."""

    def generate(self, samples: Dataset) -> Dataset:
        return samples.select_columns(["topic"])


class Emptying(Block):
    """A block of which nothing comes, not even columns."""

    def generate(self, samples: Dataset) -> Dataset:
        return samples.select([]).remove_columns(samples.column_names)


@pytest.fixture(autouse=True)
def custom_types() -> Iterator[None]:
    BlockRegistry.register("Forgetful")(Forgetful)
    BlockRegistry.register("Emptying")(Emptying)
    yield
    del BlockRegistry.get_registry()["Forgetful"], BlockRegistry.get_registry()["Emptying"]


def test_a_custom_block_that_drops_the_column_has_no_books_of_leaves_nor_have_those_after_it() -> (
    None
):
    before, lost, after = through(rows(10), ASK, BlockSpec("lose", "Forgetful", {}), JUDGE).history
    assert before.groups
    assert lost.groups == after.groups == {}
    assert "groups" not in lost.to_json()


def test_a_block_that_leaves_no_rows_says_so_for_every_leaf() -> None:
    [entry] = through(rows(10), BlockSpec("empty", "Emptying", {})).history
    assert {name: (b.rows_in, b.rows_out, b.filtered) for name, b in entry.groups.items()} == {
        "birds": (4, 0, 4),
        "cats": (2, 0, 2),
        "dogs": (2, 0, 2),
    }


@pytest.mark.parametrize("column", [None, pa.array([1, 2]), pa.nulls(2)])
def test_rows_without_leaves_as_text_have_no_books_of_leaves(column: pa.Array | None) -> None:
    table = pa.table({"topic": ["1", "2"]} | ({} if column is None else {GROUP_COLUMN: column}))
    [entry] = through(table, ASK).history
    assert entry.groups == {}


def test_the_books_of_leaves_are_kept_small_and_come_back() -> None:
    groups = {"a": GroupBooks(3, 1, 1, {"parse": 1}), "b": GroupBooks(2)}
    entry = HistoryEntry("ask", "LLMBlock", 5, 1, groups=groups)
    assert entry.to_json()["groups"] == {
        "a": {"rows_in": 3, "rows_out": 1, "duplicates": 1, "rejected_by_reason": {"parse": 1}},
        "b": {"rows_in": 2},
    }
    assert HistoryEntry.from_json(entry.to_json()) == entry


def test_a_manifest_without_books_of_leaves_is_read() -> None:
    entry = HistoryEntry("ask", "LLMBlock", 5, 1)
    assert HistoryEntry.from_json(entry.to_json()) == entry
    assert (
        HistoryEntry.from_json({"block": "b", "type": "t", "rows_in": 1, "rows_out": 1}).groups
        == {}
    )
