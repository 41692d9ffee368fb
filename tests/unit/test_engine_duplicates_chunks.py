"""drop_duplicates over chunks: the same rows stay, wherever the chunks end."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.engine.duplicates import Deduplicator

NAN = float("nan")
DAY = datetime.date(2026, 1, 1)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
CELLS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["", "a", "b", "ab", None, "ä"]),
    "large text": (pa.large_string(), ["a", "b", None]),
    "null": (pa.null(), [None]),
    "float": (pa.float64(), [0.0, -0.0, 1.5, NAN, None, 1e300]),
    "float32": (pa.float32(), [0.0, -0.0, NAN, None]),
    "int": (pa.int64(), [0, -1, 2**62, None]),
    "bool": (pa.bool_(), [True, False, None]),
    "bytes": (pa.binary(), [b"", b"\xff", None]),
    "date": (pa.date32(), [DAY, None]),
    "date64": (pa.date64(), [DAY, None]),
    "time": (pa.time32("s"), [datetime.time(1), None]),
    "instant": (pa.timestamp("ns", "UTC"), [NOON, None]),
    "length": (pa.duration("us"), [datetime.timedelta(1), datetime.timedelta(2), None]),
    "list": (pa.list_(pa.string()), [[], ["a"], ["a", None], ["null"], None]),
    "object": (
        pa.struct({"x": pa.int64(), "y": pa.string()}),
        [{"x": 1, "y": "a"}, {"x": 1}, None],
    ),
    "words": (pa.dictionary(pa.int32(), pa.string()), ["a", "b", None]),
}


def plain(cell: Any) -> str:
    """Return a text that is equal for equal cells: the rule, told another way."""
    if isinstance(cell, float):
        return "nan" if math.isnan(cell) else repr(cell + 0.0)
    return json.dumps(cell, sort_keys=True, default=repr) if cell is not None else "nothing"


@pytest.mark.parametrize("kind", CELLS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_the_first_of_equal_rows_stays_in_whichever_chunk_it_is(
    kind: str, data: st.DataObject
) -> None:
    data_type, cells = CELLS[kind]
    column = data.draw(st.lists(st.sampled_from(cells), max_size=12))
    others = data.draw(st.lists(st.sampled_from([1, 2]), min_size=12, max_size=12))[: len(column)]
    table = pa.table(
        {
            "cell": pa.array(column, data_type),
            "other": pa.array(others, pa.int64()),
            "row": pa.array(range(len(column)), pa.int64()),
        }
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(column)), max_size=4)))
    unique = Deduplicator(["cell", "other"])
    kept = []
    for start, end in zip([0, *cuts], [*cuts, len(column)], strict=True):
        kept += unique.firsts_of(table.slice(start, end - start))["row"].to_pylist()

    keys = [(plain(cell), other) for cell, other in zip(column, others, strict=True)]
    assert kept == [row for row, key in enumerate(keys) if key not in keys[:row]]


def test_columns_do_not_run_into_each_other() -> None:
    unique = Deduplicator(["a", "b"])
    for cells in (["x", "yz"], ["xy", "z"], ["", "xyz"], ["xyz", ""], [None, "xyz"], ["xyz", None]):
        row = pa.table(
            {"a": pa.array(cells[:1], pa.string()), "b": pa.array(cells[1:], pa.string())}
        )
        assert unique.firsts_of(row).num_rows == 1
        assert unique.firsts_of(row).num_rows == 0
