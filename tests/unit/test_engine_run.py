"""A whole pipeline in one process: order, observers, and what is kept when it fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from datasets import Dataset

from kfp_sdg.blocks import Account, Block, BlockRegistry, PipelineContext
from kfp_sdg.engine import Observer, RunResult, run
from kfp_sdg.errors import BlockError
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import RequestStatistics, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.storage import HistoryEntry

ROWS = pa.table({"a": ["1", "2", "3"]})
COPY = BlockSpec("copy", "DuplicateColumnsBlock", {"columns_map": {"a": "b"}})
KEEP_2 = BlockSpec(
    "keep 2", "FilterByValueBlock", {"filter_column": "b", "filter_value": "2", "operation": "eq"}
)
KEEP_NONE = BlockSpec(
    "keep none",
    "FilterByValueBlock",
    {"filter_column": "a", "filter_value": "9", "operation": "eq"},
)


class Notes(Observer):
    """Writes down everything it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.partial: tuple[RunResult, str] | None = None

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        self.told.append((index, total, name, block_type, rows_in))

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        self.told.append((index, arrived, done, rejected, usage))

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        self.told.append((index, entry.block))

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        self.partial = (partial, block_name)


@pytest.mark.parametrize(
    ("moment", "finished"), [("block_started", ["copy"]), ("block_finished", ["copy", "keep 2"])]
)
def test_an_interrupt_while_the_observer_is_told_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, moment: str, finished: list[str]
) -> None:
    def interrupt(self: Notes, *told: Any) -> None:
        if "'keep 2'" in repr(told):
            raise KeyboardInterrupt

    monkeypatch.setattr(Notes, moment, interrupt)
    notes = Notes()
    with pytest.raises(KeyboardInterrupt):
        run(PipelineSpec((COPY, KEEP_2)), ROWS, PipelineContext(), observer=notes)
    assert notes.partial is not None
    assert [entry.block for entry in notes.partial[0].history] == finished


class Eager(Block):
    """Reports its rows, rejects the first one, and fails or is interrupted when told to."""

    def __init__(
        self, ctx: Any, pipe: Any, block_name: str, *, fail: str = "", prepare_fails: bool = False
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        self.fail = fail
        self.prepare_fails = prepare_fails

    def prepare(self) -> None:
        if self.prepare_fails:
            raise self.error("no teacher")

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        if self.fail == "error":
            raise self.error("out of ideas")
        if self.fail == "interrupt":
            raise KeyboardInterrupt
        account.statistics = RequestStatistics(Usage(3, 20, 10))
        account.reject(table.slice(0, 1).to_pylist()[0], "parse", "no tag", "?")
        return table.slice(1)


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """The block type Eager, for the length of a test."""
    types = BlockRegistry.get_registry()
    BlockRegistry.register("Eager")(Eager)
    yield
    del types["Eager"]


def pipeline(*blocks: BlockSpec) -> PipelineSpec:
    return PipelineSpec(blocks)


def test_blocks_run_in_their_order_and_leave_their_books() -> None:
    result = run(pipeline(COPY, KEEP_2), ROWS, PipelineContext())
    assert result.rows.to_pylist() == [{"a": "2", "b": "2"}]
    assert [(e.block, e.rows_in, e.rows_out) for e in result.history] == [
        ("copy", 3, 3),
        ("keep 2", 3, 1),
    ]
    assert result.rejected == {}


def test_a_datasets_dataset_is_taken_with_its_selection() -> None:
    rows = Dataset.from_dict({"a": ["1", "2", "3"]}).select([2, 0])
    result = run(pipeline(COPY), rows, PipelineContext())
    assert result.rows.to_pylist() == [{"a": "3", "b": "3"}, {"a": "1", "b": "1"}]


def test_a_pipeline_without_blocks_returns_its_input() -> None:
    result = run(pipeline(), ROWS, PipelineContext())
    assert result.rows.equals(ROWS)
    assert result.history == ()


def test_rejected_rows_are_kept_by_block_and_only_where_there_are_any() -> None:
    result = run(pipeline(COPY, BlockSpec("ask", "Eager"), KEEP_2), ROWS, PipelineContext())
    assert list(result.rejected) == ["ask"]
    assert result.rejected["ask"].select(["a", "b", "rejected_reason"]).to_pylist() == [
        {"a": "1", "b": "1", "rejected_reason": "parse"}
    ]
    asked = result.history[1]
    assert (asked.requests, asked.prompt_tokens, asked.completion_tokens) == (3, 20, 10)


def test_the_observer_is_told_of_every_block_and_its_progress() -> None:
    notes = Notes()
    run(pipeline(COPY, BlockSpec("ask", "Eager")), ROWS, PipelineContext(), observer=notes)
    assert notes.told == [
        (1, 2, "copy", "DuplicateColumnsBlock", 3),
        (1, 3, 3, 0, Usage()),
        (1, "copy"),
        (2, 2, "ask", "Eager", 3),
        (2, 3, 3, 1, Usage(3, 20, 10)),
        (2, "ask"),
    ]
    assert notes.partial is None


@pytest.mark.parametrize(
    ("fail", "error"), [("error", BlockError), ("interrupt", KeyboardInterrupt)]
)
def test_what_was_finished_before_a_failure_is_handed_over(
    fail: str, error: type[BaseException]
) -> None:
    notes = Notes()
    spec = pipeline(BlockSpec("ask", "Eager"), BlockSpec("fails", "Eager", {"fail": fail}))
    with pytest.raises(error):
        run(spec, ROWS, PipelineContext(), observer=notes)
    assert notes.partial is not None
    partial, block_name = notes.partial
    assert block_name == "fails"
    assert partial.rows.column("a").to_pylist() == ["2", "3"]
    assert [entry.block for entry in partial.history] == ["ask"]
    assert partial.rejected["ask"].num_rows == 1


def test_nothing_runs_when_a_later_block_lacks_a_column() -> None:
    notes = Notes()
    late = BlockSpec("late", "RenameColumnsBlock", {"columns_map": {"q": "r"}})
    with pytest.raises(BlockError, match=r"'late'.*the rows have a, b"):
        run(pipeline(COPY, late), ROWS, PipelineContext(), observer=notes)
    assert notes.told == []


def test_nothing_runs_when_a_later_block_cannot_be_prepared() -> None:
    notes = Notes()
    late = BlockSpec("late", "Eager", {"prepare_fails": True})
    with pytest.raises(BlockError, match="no teacher"):
        run(pipeline(COPY, late), ROWS, PipelineContext(), observer=notes)
    assert notes.told == []


def test_an_empty_input_flows_through_every_block_with_its_columns() -> None:
    result = run(pipeline(COPY, KEEP_2), ROWS.slice(0, 0), PipelineContext())
    assert result.rows.num_rows == 0
    assert result.rows.column_names == ["a", "b"]
    assert len(result.history) == 2


def test_a_block_that_leaves_no_rows_is_told_loudly_once_and_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "kfp_sdg"):
        result = run(pipeline(KEEP_NONE, COPY), ROWS, PipelineContext())
    assert result.rows.num_rows == 0
    assert result.rows.column_names == ["a", "b"]
    (record,) = caplog.records
    assert "'keep none' left no rows" in record.getMessage()
    assert "3 were filtered" in record.getMessage()
