"""FilterByValueBlock."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from column_blocks import apply, make, run
from kfp_sdg.blocks.filter_by_value import FilterByValueBlock
from kfp_sdg.errors import BlockError


def kept(cells: list[Any], **config: Any) -> list[Any]:
    """Return the cells that a filter on one column keeps."""
    rows = [{"cell": cell} for cell in cells]
    return [row["cell"] for row in run(FilterByValueBlock, rows, filter_column="cell", **config)]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("eq", [2]),
        ("ne", [1, 3]),
        ("lt", [1]),
        ("le", [1, 2]),
        ("gt", [3]),
        ("ge", [2, 3]),
    ],
)
def test_each_operation_reads_cell_operation_value(operation: str, expected: list[int]) -> None:
    assert kept([1, 2, 3], operation=operation, filter_value=2) == expected


def test_contains_looks_for_the_value_in_the_cell_and_takes_it_literally() -> None:
    assert kept(["a.c", "abc", "x"], operation="contains", filter_value="a.") == ["a.c"]


def test_a_list_of_values_means_any_of_them() -> None:
    assert kept(["a", "b", "c"], operation="eq", filter_value=["a", "c"]) == ["a", "c"]
    assert kept(["ab", "bc", "d"], operation="contains", filter_value=["a", "d"]) == ["ab", "d"]
    # `ne` with several values keeps everything that differs from one of them: InstructLab's rule.
    assert kept(["a", "b"], operation="ne", filter_value=["a", "b"]) == ["a", "b"]


def test_text_is_compared_exactly() -> None:
    assert kept(["YES", "YES ", "yes"], operation="eq", filter_value="YES") == ["YES"]


def test_the_column_stays_converted() -> None:
    rows = run(
        FilterByValueBlock,
        [{"score": "2.0"}, {"score": "1"}],
        filter_column="score",
        filter_value="2",
        operation="eq",
        convert_dtype="float",
    )
    assert rows == [{"score": 2.0}]
    assert isinstance(rows[0]["score"], float)


@pytest.mark.parametrize("cell", ["2", "2.0", " 2\n", "+2", "2.", "02", "2e0", "0.2E1"])
@pytest.mark.parametrize("dtype", ["int", "float"])
def test_text_that_is_the_number_two_converts(cell: str, dtype: str) -> None:
    assert kept([cell], operation="eq", filter_value=2, convert_dtype=dtype) == [2]


@pytest.mark.parametrize(
    "cell", [None, "", " ", "two", "2/3", "Score: 2", "2 2", "nan", "0x2", "٢"]
)
@pytest.mark.parametrize("operation", ["eq", "ne", "ge", "le"])
@pytest.mark.parametrize("dtype", ["int", "float"])
def test_a_cell_that_does_not_convert_matches_nothing(
    cell: str | None, operation: str, dtype: str
) -> None:
    assert kept([cell], operation=operation, filter_value=0, convert_dtype=dtype) == []


def test_the_default_value_stands_in_for_cells_that_are_null_or_do_not_convert() -> None:
    cells = [None, "two", "1", "2"]
    config = {"filter_value": 2, "operation": "ge", "convert_dtype": "float"}
    assert kept(cells, **config) == [2.0]
    assert kept(cells, **config, default_value="3") == [3.0, 3.0, 2.0]
    assert kept(cells, **config, default_value=0) == [2.0]


def test_a_default_value_without_conversion_stands_in_for_nulls() -> None:
    assert kept(["a", None], operation="eq", filter_value="b", default_value="b") == ["b"]
    assert kept([None], operation="eq", filter_value=1, default_value=1) == [1]


def test_a_fraction_is_no_int() -> None:
    assert kept(["2.5", "2.0"], operation="ge", filter_value=2, convert_dtype="int") == [2]
    assert kept([2.5, 2.0], operation="ge", filter_value=2, convert_dtype="int") == [2]


def test_a_number_beyond_64_bits_does_not_convert_to_int() -> None:
    assert kept(["9" * 30], operation="ge", filter_value=0, convert_dtype="int") == []
    exact = [9007199254740993, -(10**18 - 1), 7]
    texts = [" 9007199254740993 ", f"-{10**18 - 1}", "+007", "++7", "+-7", "1_0", ""]
    assert kept(texts, operation="ne", filter_value=0, convert_dtype="int") == exact


@pytest.mark.parametrize("cell", ["true", "True", " YES", "1", 1, 2.5, True])
def test_words_and_numbers_that_are_true(cell: Any) -> None:
    assert kept([cell], operation="eq", filter_value=True, convert_dtype="bool") == [True]


@pytest.mark.parametrize("cell", ["false", "False", "no", "0", 0, 0.0, False])
def test_words_and_numbers_that_are_false(cell: Any) -> None:
    assert kept([cell], operation="eq", filter_value="no", convert_dtype="bool") == [False]


@pytest.mark.parametrize("cell", ["maybe", "", None, float("nan")])
def test_what_is_neither_true_nor_false_matches_nothing(cell: Any) -> None:
    for value in (True, False):
        assert kept([cell], operation="eq", filter_value=value, convert_dtype="bool") == []


@pytest.mark.parametrize("operation", ["eq", "ne", "lt", "ge", "contains"])
def test_a_null_cell_matches_nothing(operation: str) -> None:
    assert kept(["b", None], operation=operation, filter_value="a") == (
        ["b"] if operation in ("ne", "ge") else []
    )


def test_a_column_of_nulls_only_matches_nothing() -> None:
    assert kept([None, None], operation="ne", filter_value=1) == []
    assert kept([None, None], operation="contains", filter_value="a") == []


def test_filtered_rows_are_counted() -> None:
    block = make(FilterByValueBlock, filter_column="n", filter_value=1, operation="gt")
    _, account = apply(block, [{"n": 0}, {"n": 1}, {"n": 2}])
    assert account.filtered == 2


def test_integers_compare_with_floats_also_beyond_what_floats_hold_exactly() -> None:
    big = 2**53 + 1
    assert kept([1, 2, big], operation="ge", filter_value=1.5) == [2, big]
    assert kept([0.5, 2.5], operation="ge", filter_value=1) == [2.5]
    assert kept([0.5], operation="lt", filter_value=big) == [0.5]


def test_encoded_text_columns_are_compared_like_plain_ones() -> None:
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table({"cell": pa.array(["a", "b"]).cast(kind)})
        block = make(FilterByValueBlock, filter_column="cell", filter_value="b", operation="eq")
        assert apply(block, table)[0].to_pylist() == [{"cell": "b"}]


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        ("2.0", 2.0, r"column 'cell' holds text cells.*convert_dtype: float"),
        ("2", 2, r"convert_dtype: int, or write filter_value in quotes"),
        ("x", True, r"convert_dtype: bool"),
        (2, "2", r"holds integer cells.*the text filter_value '2'"),
        (True, 1, r"holds bool cells"),
        ([1], 1, r"holds list of integer cells"),
    ],
)
def test_cells_and_values_of_different_kinds_are_an_error(
    cell: Any, value: Any, message: str
) -> None:
    with pytest.raises(BlockError, match=message):
        kept([cell], operation="eq", filter_value=value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"operation": "__class__"}, "unknown operation '__class__'; expected one of eq, ne"),
        ({"operation": "not_"}, "unknown operation"),
        ({"convert_dtype": "str"}, "unknown convert_dtype 'str'"),
        ({"filter_value": []}, "empty list"),
        ({"filter_value": 2**64}, "filter_value 18446744073709551616 does not fit into 64 bits"),
        ({"filter_value": None}, "filter_value holds None"),
        ({"filter_value": "abc", "convert_dtype": "int"}, "'abc' does not convert to int"),
        ({"default_value": "abc", "convert_dtype": "int"}, "default_value 'abc' does not convert"),
        ({"operation": "contains", "filter_value": 2}, "in quotes"),
        ({"operation": "contains", "filter_value": "2", "convert_dtype": "int"}, "leave convert"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_row(
    config: dict[str, Any], message: str
) -> None:
    settings = {"filter_column": "cell", "filter_value": 1, "operation": "eq", **config}
    with pytest.raises(BlockError, match=message):
        make(FilterByValueBlock, **settings)


def test_a_default_of_another_kind_than_the_column_is_an_error() -> None:
    with pytest.raises(BlockError, match="default_value 1"):
        kept(["a"], operation="eq", filter_value="a", default_value=1)


def test_a_missing_column_is_an_error_that_names_those_there_are() -> None:
    block = make(FilterByValueBlock, filter_column="score", filter_value=1, operation="eq")
    with pytest.raises(BlockError, match=r"'step'.*missing column 'score'; the rows have a, b"):
        block.columns_after(["a", "b"])
    with pytest.raises(BlockError, match="missing column 'score'"):
        apply(block, [{"a": 1}])


def test_generate_gives_datasets_the_same_result() -> None:
    from datasets import Dataset

    block = make(
        FilterByValueBlock,
        filter_column="score",
        filter_value=2,
        operation="ge",
        convert_dtype="int",
    )
    result = block.generate(Dataset.from_dict({"score": ["1", "2", "x"], "q": ["a", "b", "c"]}))
    assert result.to_list() == [{"score": 2, "q": "b"}]
