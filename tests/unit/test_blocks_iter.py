"""IterBlock: another block, several times, with books that add up."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kfp_sdg.blocks import Account, Block, BlockRegistry
from kfp_sdg.blocks.iter import IterBlock
from kfp_sdg.errors import BlockError
from scripted_teacher import ScriptedTeacher, assert_books_balance, context, pipeline

ROWS = pa.table({"q": ["one", "two"]})
FILTER = {
    "block_type": "FilterByValueBlock",
    "filter_column": "q",
    "filter_value": "one",
    "operation": "eq",
}


def again(num_iters, teacher=None, **config) -> IterBlock:
    spec = pipeline(p="{{ q }}")
    return IterBlock(context(teacher), spec, "again", num_iters=num_iters, **config)


def run(block, table=ROWS) -> tuple[pa.Table, Account]:
    account = Account()
    made = block.apply(table, account)
    assert_books_balance(len(table), len(made), account)
    return made, account


def asking(num_iters, teacher, **config) -> IterBlock:
    settings = {"block_type": "LLMBlock", "config_path": "p.yaml", "output_cols": ["a"]}
    return again(num_iters, teacher, **settings, **config)


@pytest.mark.parametrize("num_iters", [2, 2.0])
def test_the_results_of_the_iterations_stand_one_after_another(num_iters):
    made, account = run(again(num_iters, **FILTER))
    assert made["q"].to_pylist() == ["one", "one"]
    assert (account.added, account.filtered) == (2, 2)


def test_no_iteration_gives_no_rows_with_the_columns_there_would_be():
    teacher = ScriptedTeacher(lambda request: ["x"])
    made, account = run(asking(0, teacher))
    assert made.column_names == ["q", "a"]
    assert account.filtered == 2
    assert not teacher.requests


def test_books_and_usage_of_all_iterations_add_up():
    teacher = ScriptedTeacher(lambda r: [] if r.prompt == "two" else [r.prompt] * 2)
    made, account = run(asking(3, teacher, gen_kwargs={"n": 2, "temperature": 1}))
    assert made["a"].to_pylist() == ["one"] * 6
    assert account.rejected_by_reason == {"teacher": 6}
    assert account.statistics.usage.requests == 6


def test_the_books_of_a_custom_block_that_keeps_none_add_up(monkeypatch):
    class First(Block):
        def generate(self, samples):
            return samples.select([0])

    monkeypatch.setitem(BlockRegistry.get_registry(), "First", First)
    made, account = run(again(3, block_type="First"))
    assert made["q"].to_pylist() == ["one"] * 3
    assert (account.added, account.filtered) == (4, 3)


def test_the_model_is_the_inner_blocks():
    block = asking(1, ScriptedTeacher(lambda request: ["x"]))
    run(block)
    assert block.model == "m"
    assert again(1, **FILTER).model is None


def test_requests_of_different_iterations_stand_in_different_places():
    teacher = ScriptedTeacher(lambda request: ["x"])
    run(asking(2, teacher))
    assert sorted(request.place for request in teacher.requests) == [
        "again/0/0",
        "again/0/1",
        "again/1/0",
        "again/1/1",
    ]


@pytest.mark.parametrize("num_iters", [-1, 1.5, True, "2", None])
def test_a_number_that_is_no_count_is_refused(num_iters):
    with pytest.raises(BlockError, match="num_iters is"):
        again(num_iters, **FILTER)


def test_the_inner_blocks_settings_are_checked_when_the_block_is_made():
    with pytest.raises(
        BlockError, match="unknown setting 'filter_colum'; did you mean 'filter_column'"
    ):
        again(1, **FILTER, filter_colum="q")
    with pytest.raises(BlockError, match="did you mean 'FilterByValueBlock'"):
        again(1, block_type="FilterByValuBlock")


def test_columns_and_preparation_are_the_inner_blocks():
    block = asking(2, ScriptedTeacher(lambda request: ["x"]), gen_kwargs={"n": "scaled"})
    assert block.columns_after(["q"]) == ["q", "a"]
    with pytest.raises(BlockError, match=r"block 'again' .* is scaled, which needs"):
        block.prepare()
