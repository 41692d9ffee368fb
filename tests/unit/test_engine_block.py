"""One block in the engine: its books, its columns, and the words of its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from datasets import Dataset

from kfp_sdg.blocks import REJECTED_COLUMNS, Account, Block, BlockRegistry, PipelineContext
from kfp_sdg.blocks.filter_by_value import FilterByValueBlock
from kfp_sdg.engine import BlockOutcome, check_columns, make_block, run, run_block
from kfp_sdg.errors import BlockError
from kfp_sdg.spec import BlockSpec, PipelineSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = pa.table({"a": [1, 2, 3], "b": ["x", "x", "y"]})


@pytest.fixture
def registry() -> Iterator[type[BlockRegistry]]:
    """The registry, as it was before once the test is over."""
    types = BlockRegistry.get_registry()
    before = dict(types)
    yield BlockRegistry
    types.clear()
    types.update(before)


def go(block_type: str, rows: pa.Table = ROWS, **entry: Any) -> BlockOutcome:
    """Run one block over rows."""
    block = BlockSpec("the block", block_type, **entry)
    return run_block(block, PipelineSpec((block,)), rows, PipelineContext())


def keep(value: str) -> dict[str, Any]:
    """Settings that keep the rows whose b is a value."""
    return {"filter_column": "b", "filter_value": value, "operation": "eq"}


def test_a_filter_s_books_say_what_it_filtered() -> None:
    outcome = go("FilterByValueBlock", config=keep("x"))
    assert outcome.rows.column("a").to_pylist() == [1, 2]
    assert outcome.rejected.num_rows == 0
    assert outcome.rejected.column_names == ["a", "b", *REJECTED_COLUMNS]
    entry = outcome.entry
    assert (entry.block, entry.type) == ("the block", "FilterByValueBlock")
    assert (entry.rows_in, entry.filtered, entry.rows_out) == (3, 1, 2)
    assert entry.model is None


def test_columns_are_dropped_and_missing_ones_ignored() -> None:
    outcome = go("FilterByValueBlock", config=keep("x"), drop_columns=("b", "nowhere"))
    assert outcome.rows.column_names == ["a"]


def test_duplicates_are_counted_and_the_first_stays() -> None:
    outcome = go(
        "DuplicateColumnsBlock", config={"columns_map": {"b": "c"}}, drop_duplicates=("c",)
    )
    assert outcome.rows.column("a").to_pylist() == [1, 3]
    assert (outcome.entry.duplicates, outcome.entry.rows_out) == (1, 2)


def test_an_empty_dataset_flows_through_with_its_columns() -> None:
    outcome = go(
        "DuplicateColumnsBlock",
        ROWS.slice(0, 0),
        config={"columns_map": {"b": "c"}},
        drop_columns=("a",),
        drop_duplicates=("c",),
    )
    assert outcome.rows.column_names == ["b", "c"]
    assert outcome.entry.rows_in == outcome.entry.rows_out == 0


def test_duplicates_of_a_column_that_is_not_there_name_it_and_those_that_are() -> None:
    with pytest.raises(BlockError, match=r"drop_duplicates names 'q', but .* have a, b") as caught:
        go("FilterByValueBlock", config=keep("x"), drop_duplicates=("q",))
    assert caught.value.block_name == "the block"


def test_duplicates_of_a_dropped_column_say_that_it_was_dropped() -> None:
    with pytest.raises(BlockError, match="'b' is dropped by drop_columns"):
        go("FilterByValueBlock", config=keep("x"), drop_columns=("b",), drop_duplicates=("b",))


@pytest.mark.parametrize(
    ("block_type", "config", "message"),
    [
        ("FilterByValueBlok", {}, "did you mean 'FilterByValueBlock'"),
        ("RenameColumnsBlock", {}, "columns_map"),
        ("RenameColumnsBlock", {"columns_map": {}, "extra": 1}, "extra"),
        ("RenameColumnsBlock", {"columns_map": {"q": "r"}}, "'q'; the rows have a, b"),
    ],
)
def test_a_block_that_cannot_be_set_up_is_named(
    block_type: str, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(BlockError, match=message) as caught:
        go(block_type, config=config)
    assert "'the block'" in str(caught.value)


def test_a_missing_column_is_found_before_the_first_block_works() -> None:
    spec = PipelineSpec(
        (
            BlockSpec("one", "DuplicateColumnsBlock", {"columns_map": {"a": "c"}}, ("b",)),
            BlockSpec("two", "RenameColumnsBlock", {"columns_map": {"b": "d"}}),
        )
    )
    with pytest.raises(BlockError, match=r"'two'.*'b'; the rows have a, c"):
        check_columns(spec, ["a", "b"], PipelineContext())


def test_the_columns_of_a_pipeline_s_output_are_known_before_it_runs() -> None:
    spec = PipelineSpec(
        (
            BlockSpec("one", "DuplicateColumnsBlock", {"columns_map": {"a": "c"}}, ("a",)),
            BlockSpec("two", "RenameColumnsBlock", {"columns_map": {"b": "d"}}),
        )
    )
    assert check_columns(spec, ["a", "b"], PipelineContext()) == ["d", "c"]


def test_after_a_block_that_does_not_tell_its_columns_nothing_is_assumed(
    registry: type[BlockRegistry],
) -> None:
    registry.register("Silent")(Block)
    spec = PipelineSpec(
        (
            BlockSpec("one", "Silent"),
            BlockSpec("two", "RenameColumnsBlock", {"columns_map": {"made": "d"}}),
        )
    )
    assert check_columns(spec, ["a"], PipelineContext()) is None


class Halves(Block):
    """A custom block as InstructLab's users write them: generate, and no books."""

    def __init__(self, ctx: Any, pipe: Any, block_name: str, times: int = 1) -> None:
        super().__init__(ctx, pipe, block_name)
        self.times = times

    def generate(self, samples: Dataset) -> Dataset:
        rows = [row for row in samples for _ in range(self.times)]
        return Dataset.from_list(rows) if rows else samples.select([])


@pytest.mark.parametrize(("times", "added", "filtered"), [(2, 3, 0), (1, 0, 0), (0, 0, 3)])
def test_the_books_of_a_block_that_keeps_none_are_made_from_the_difference(
    registry: type[BlockRegistry], times: int, added: int, filtered: int
) -> None:
    registry.register("Halves")(Halves)
    entry = go("Halves", config={"times": times}).entry
    assert (entry.added, entry.filtered, entry.rows_out) == (added, filtered, 3 * times)


class Marks(FilterByValueBlock):
    """A custom block that adds to one of ours, as InstructLab's users do it."""

    def generate(self, samples: Dataset) -> Dataset:
        kept = super().generate(samples)
        return kept.add_column("kept", [True] * len(kept))


def test_a_subclass_that_overrides_generate_alone_is_not_passed_by(
    registry: type[BlockRegistry],
) -> None:
    registry.register("Marks")(Marks)
    config = {"filter_column": "b", "filter_value": "x", "operation": "eq"}
    marks = BlockSpec("marks", "Marks", config)
    after = BlockSpec("after", "DuplicateColumnsBlock", {"columns_map": {"kept": "copy"}})
    result = run(PipelineSpec((marks, after)), ROWS, PipelineContext())
    assert result.rows["copy"].to_pylist() == [True, True]
    assert result.history[0].filtered == 1


class Careless(Block):
    """A block that loses a row and says nothing."""

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        return table.slice(1)


class Rejecting(Block):
    """A block that rejects its first row."""

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        account.reject(table.slice(0, 1).to_pylist()[0], "parse", "no tag", "an answer")
        return table.slice(1)


class Twins(Block):
    """A block that makes two columns of one name."""

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        return table.append_column("a", table.column("a"))


class Crashing(Block):
    """A block with a defect."""

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        return table.column("no such column")


class Empty(Block):
    """A block whose author has not begun."""


class Fragile(Block):
    """A block that cannot even be made."""

    def __init__(self, ctx: Any, pipe: Any, block_name: str) -> None:
        raise RuntimeError("no licence")


class Wordy(Block):
    """A block that gives no rows back."""

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        return "rows"  # type: ignore[return-value]


class NotABlock:
    """A class of somebody who forgot the base class."""

    def __init__(self, ctx: Any, pipe: Any, block_name: str) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Careless, r"books do not add up: 3 rows in \+ 0 added is not 2 rows out"),
        (Twins, "more than one column named 'a'"),
        (Crashing, "failed: KeyError"),
        (Empty, "implements neither apply nor generate"),
        (Fragile, "cannot be set up: RuntimeError: no licence"),
        (Wordy, "returned str"),
        (NotABlock, "not a subclass of kfp_sdg.blocks.Block"),
    ],
)
def test_a_defect_of_a_custom_block_names_the_block(
    registry: type[BlockRegistry], kind: type, message: str
) -> None:
    registry.register("Custom")(kind)
    with pytest.raises(BlockError, match=message) as caught:
        go("Custom")
    assert caught.value.block_name == "the block"


def test_rejected_rows_keep_their_columns_reason_and_answer(
    registry: type[BlockRegistry],
) -> None:
    registry.register("Rejecting")(Rejecting)
    outcome = go("Rejecting")
    assert outcome.rejected.to_pylist() == [
        {
            "a": 1,
            "b": "x",
            "rejected_reason": "parse",
            "rejected_message": "no tag",
            "rejected_answer": "an answer",
        }
    ]
    assert (outcome.entry.rejected, outcome.entry.rejected_by_reason) == (1, {"parse": 1})


def test_a_block_can_be_made_without_running_it() -> None:
    spec = BlockSpec("the block", "RenameColumnsBlock", {"columns_map": {"a": "c"}})
    block = make_block(spec, PipelineSpec((spec,)), PipelineContext())
    assert block.columns_after(["a"]) == ["c"]
