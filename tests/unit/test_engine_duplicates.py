"""drop_duplicates: what counts as equal, and which row stays."""

from __future__ import annotations

import datetime
import subprocess
import sys

import pyarrow as pa
import pytest

from kfp_sdg.engine.duplicates import drop_duplicates


def kept(cells: list[object] | pa.Array | pa.ChunkedArray) -> list[int]:
    """Return which of the rows with these cells stay."""
    table = pa.table({"row": range(len(cells)), "cell": cells})
    return drop_duplicates(table, ["cell"]).column("row").to_pylist()


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        (["b", "a", "b", "a", "c"], [0, 1, 4]),
        ([None, "a", None, "a"], [0, 1]),
        ([None, None], [0]),
        ([0.0, -0.0, float("nan"), float("nan"), None], [0, 2, 4]),
        ([True, False, True], [0, 1]),
        ([["a", "b"], ["a"], ["a", "b"], None, [], None, []], [0, 1, 3, 4]),
        ([["a", None], ["a"], ["a", None]], [0, 1]),
        ([{"x": 1, "y": [1]}, {"x": 1, "y": [2]}, {"y": [1], "x": 1}], [0, 1]),
        ([["null"], None, ["null"]], [0, 1]),
        ([[datetime.date(2026, 1, 1)], [datetime.date(2026, 1, 2)]], [0, 1]),
        ([b"\xff", b"\xff"], [0]),
    ],
)
def test_the_first_of_equal_rows_stays(cells: list[object], rows: list[int]) -> None:
    assert kept(cells) == rows


def test_equal_cells_of_different_chunks_are_equal() -> None:
    words = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()]
    assert kept(pa.chunked_array(words)) == [0, 1, 3]
    assert kept(pa.chunked_array([[["a"]], [["a"], ["b"]]])) == [0, 2]


def test_rows_are_equal_only_when_all_named_columns_are() -> None:
    table = pa.table({"a": [1, 1, 1], "b": ["x", "y", "x"], "c": [1, 2, 3]})
    assert drop_duplicates(table, ["a", "b"]).column("c").to_pylist() == [1, 2]
    assert drop_duplicates(table, ["a"]).column("c").to_pylist() == [1]


def test_without_columns_or_rows_nothing_changes() -> None:
    table = pa.table({"a": [1, 1]})
    assert drop_duplicates(table, []).equals(table)
    assert drop_duplicates(table.slice(0, 0), ["a"]).equals(table.slice(0, 0))


def test_order_stays_in_a_large_dataset() -> None:
    numbers = [n * 7919 % 1000 for n in range(50_000)]
    table = pa.table({"n": numbers, "row": range(len(numbers))})
    assert drop_duplicates(table, ["n"]).column("row").to_pylist() == list(range(1000))


def test_it_does_not_load_pandas() -> None:
    code = (
        "import sys; from kfp_sdg.engine.duplicates import drop_duplicates;"
        "from kfp_sdg.storage import rows_from_objects;"
        "rows = rows_from_objects([{'a': 'x', 'b': 0.0}, {'a': 'x', 'b': -0.0}]);"
        "print(len(drop_duplicates(rows, ['a', 'b'])), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
