"""Rows are sacred: whatever column blocks do to whatever rows, the books add up."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import run
from kfp_sdg.spec import BlockSpec, PipelineSpec

COLUMNS = ("a", "b", "c")
CELLS = st.sampled_from([None, "", "x", "y", "1", "2.5", "yes", "ä"])
COLUMN = st.sampled_from(COLUMNS)


def entries(kind: str, **config: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A strategy for entries of one block type; the blocks keep the columns a, b and c."""
    return st.fixed_dictionaries(
        {
            "type": st.just(kind),
            "config": st.fixed_dictionaries(config),
            "drop_duplicates": st.sets(COLUMN, max_size=2).map(lambda names: tuple(sorted(names))),
        }
    )


BLOCKS = st.one_of(
    entries(
        "FilterByValueBlock",
        filter_column=COLUMN,
        filter_value=st.one_of(st.sampled_from(["x", "1", "ä"]), st.just(["x", "y"])),
        operation=st.sampled_from(["eq", "ne", "contains"]),
    ),
    entries("CombineColumnsBlock", columns=st.just(["a", "b"]), output_col=COLUMN),
    entries("RenameColumnsBlock", columns_map=st.just({"a": "b", "b": "a"})),
    entries("SetToMajorityValueBlock", col_name=COLUMN),
    entries(
        "SelectorBlock",
        choice_map=st.just({"x": "a", "y": "b"}),
        choice_col=st.just("c"),
        output_col=COLUMN,
    ),
    entries(
        "IterBlock",
        num_iters=st.integers(0, 3),
        block_type=st.just("RenameColumnsBlock"),
        columns_map=st.just({"a": "b", "b": "a"}),
    ),
)
FLATTEN = {"var_cols": ["a", "b"], "value_name": "value", "var_name": "name"}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, CELLS)), max_size=12),
    made=st.lists(BLOCKS, max_size=6),
    flatten=st.booleans(),
)
def test_every_block_accounts_for_every_row(
    rows: list[dict[str, Any]], made: list[dict[str, Any]], flatten: bool
) -> None:
    blocks = [BlockSpec(f"block {number}", **entry) for number, entry in enumerate(made)]
    if flatten:
        blocks.append(BlockSpec("flatten", "FlattenColumnsBlock", FLATTEN))
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))

    result = run(PipelineSpec(tuple(blocks)), table, PipelineContext())

    rows_before = len(rows)
    for entry in result.history:
        assert entry.rows_in == rows_before
        assert entry.rows_in + entry.added == (
            entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        )
        counts = (entry.added, entry.filtered, entry.duplicates, entry.rejected)
        assert min(counts) >= 0
        assert sum(entry.rejected_by_reason.values()) == entry.rejected
        kept_aside = result.rejected[entry.block].num_rows if entry.block in result.rejected else 0
        assert kept_aside == entry.rejected
        rows_before = entry.rows_out
    assert result.rows.num_rows == rows_before
    assert len(result.history) == len(blocks)
