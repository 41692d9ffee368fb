"""What holds for all column blocks: the books, chunks, declarations, and a cheap start."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from column_blocks import apply, make
from kfp_sdg.blocks.catalog import ARGUMENTS_OF_ALL
from kfp_sdg.blocks.combine_columns import CombineColumnsBlock
from kfp_sdg.blocks.duplicate_columns import DuplicateColumnsBlock
from kfp_sdg.blocks.filter_by_value import FilterByValueBlock
from kfp_sdg.blocks.flatten_columns import FlattenColumnsBlock
from kfp_sdg.blocks.rename_columns import RenameColumnsBlock
from kfp_sdg.blocks.sample_populator import SamplePopulatorBlock
from kfp_sdg.blocks.selector import SelectorBlock
from kfp_sdg.blocks.set_to_majority_value import SetToMajorityValueBlock
from kfp_sdg.storage import rows_from_objects

FILES = {"x.yaml": {"b": "from x", "n": 1}, "y.yaml": {"n": 2, "new": None}}
BLOCKS = [
    make(
        FilterByValueBlock, filter_column="a", filter_value="x", operation="ne", default_value="y"
    ),
    make(
        FilterByValueBlock, filter_column="a", filter_value=1, operation="ge", convert_dtype="float"
    ),
    make(
        FilterByValueBlock,
        filter_column="n",
        filter_value=True,
        operation="eq",
        convert_dtype="bool",
    ),
    make(SelectorBlock, choice_map={"x": "b", "1": "n"}, choice_col="a", output_col="chosen"),
    make(SamplePopulatorBlock, FILES, config_paths=list(FILES), column_name="a"),
    make(CombineColumnsBlock, columns=["a", "n", "b"], output_col="b"),
    make(FlattenColumnsBlock, var_cols=["a", "n"], value_name="value", var_name="name"),
    make(DuplicateColumnsBlock, columns_map={"a": "c"}),
    make(RenameColumnsBlock, columns_map={"a": "b", "b": "a"}),
    make(SetToMajorityValueBlock, col_name="a"),
]

texts = st.one_of(st.none(), st.sampled_from(["x", "y", "1", "2.0", "", "True"]), st.text())
tables = st.lists(
    st.fixed_dictionaries(
        {"a": texts, "b": texts, "n": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))}
    ),
    max_size=8,
).map(
    lambda rows: pa.Table.from_pylist(
        rows, pa.schema([("a", pa.string()), ("b", pa.string()), ("n", pa.int64())])
    )
)


@settings(max_examples=60, deadline=None)
@given(table=tables)
def test_every_row_is_accounted_for(table: pa.Table) -> None:
    for block in BLOCKS:
        apply(block, table)  # asserts that the books add up


@settings(max_examples=40, deadline=None)
@given(table=tables, cut=st.integers(0, 8))
def test_row_wise_blocks_give_the_same_rows_chunk_by_chunk(table: pa.Table, cut: int) -> None:
    for block in BLOCKS:
        if block.row_wise:
            whole, account = apply(block, table)
            parts = [apply(block, part) for part in (table.slice(0, cut), table.slice(cut))]
            together = pa.concat_tables([part for part, _ in parts])  # needs equal types
            assert sorted(map(str, together.to_pylist())) == sorted(map(str, whole.to_pylist()))
            assert sum(len(books.rejections) for _, books in parts) == len(account.rejections)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.type_name)
def test_the_input_is_not_changed(block: Any) -> None:
    table = rows_from_objects([{"a": "x", "b": "y", "n": 1}, {"a": "2", "b": None, "n": None}])
    before = table.to_pylist()
    apply(block, table)
    assert table.to_pylist() == before


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.type_name)
def test_every_setting_is_described_in_the_docstring(block: Any) -> None:
    described = inspect.getdoc(type(block)) or ""
    settings = list(inspect.signature(type(block)).parameters)[ARGUMENTS_OF_ALL:]
    assert settings
    for name in settings:
        assert f"{name}: " in described


RUN_ALL = """
import json, sys
from kfp_sdg.blocks import Account, PipelineContext
from kfp_sdg.blocks.combine_columns import CombineColumnsBlock
from kfp_sdg.blocks.duplicate_columns import DuplicateColumnsBlock
from kfp_sdg.blocks.filter_by_value import FilterByValueBlock
from kfp_sdg.blocks.flatten_columns import FlattenColumnsBlock
from kfp_sdg.blocks.rename_columns import RenameColumnsBlock
from kfp_sdg.blocks.sample_populator import SamplePopulatorBlock
from kfp_sdg.blocks.selector import SelectorBlock
from kfp_sdg.blocks.set_to_majority_value import SetToMajorityValueBlock
from kfp_sdg.spec import ConfigFile, PipelineSpec
from kfp_sdg.storage import read_dataset, read_rows, write_dataset

source, target = sys.argv[1:]
pipe = PipelineSpec((), {"x.yaml": ConfigFile("x.yaml", {"seed": "s"})})
steps = [
    (SamplePopulatorBlock, dict(config_paths=["x.yaml"], column_name="kind")),
    (DuplicateColumnsBlock, dict(columns_map={"q": "copy"})),
    (SelectorBlock, dict(choice_map={"x": "copy"}, choice_col="kind", output_col="picked")),
    (CombineColumnsBlock, dict(columns=["seed", "q"], output_col="q")),
    (FilterByValueBlock, dict(filter_column="score", filter_value=[1, 2.0], operation="eq",
                              convert_dtype="float", default_value=1)),
    (FilterByValueBlock, dict(filter_column="q", filter_value="a", operation="contains")),
    (FlattenColumnsBlock, dict(var_cols=["q", "copy"], value_name="text", var_name="from")),
    (RenameColumnsBlock, dict(columns_map={"text": "answer"})),
    (SetToMajorityValueBlock, dict(col_name="kind")),
]
table = read_rows(source)
rejected = []
for number, (block, config) in enumerate(steps):
    account = Account()
    schema = table.schema
    table = block(PipelineContext(), pipe, f"step{number}", **config).apply(table, account)
    write_dataset(target, table)
    table = read_dataset(target).table
    rejected += account.rejected_table(schema).to_pylist()
print(json.dumps([table.num_rows, rejected, sorted(sys.modules)]))
"""


def test_running_all_column_blocks_loads_none_of_the_heavy_packages(tmp_path: Any) -> None:
    source = tmp_path / "rows.jsonl"
    lines = [
        '{"kind": "x", "q": "a?", "score": "2", "more": {"parts": [1, null], "f": 0.1}}',
        '{"kind": "x", "q": "b?"}',
        '{"kind": "y", "q": "c\u00e9?", "more": {"parts": [2]}}',
    ]
    source.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, source, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, rejected, modules = json.loads(done.stdout)
    assert rows == 2
    assert [(row["q"], row["more"], row["rejected_reason"]) for row in rejected] == [
        ("c\u00e9?", {"parts": [2], "f": None}, "choice")
    ]
    heavy = {
        "aiohttp",
        "datasets",
        "fsspec",
        "httpx",
        "jinja2",
        "jsonschema",
        "kfp",
        "kubernetes",
        "openai",
        "pandas",
        "pyarrow.dataset",
        "pydantic",
        "rich",
        "torch",
        "transformers",
        "typer",
    }
    assert heavy.isdisjoint(modules)
