"""Running one column block on rows written out in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks import Account, Block, PipelineContext
from kfp_sdg.spec import ConfigFile, PipelineSpec
from kfp_sdg.storage import rows_from_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Rows = list[dict[str, Any]]


def make(
    block_class: type[Block], files: Mapping[str, Mapping[str, Any]] | None = None, **config: Any
) -> Block:
    """Return a block named "step" in a pipeline that has these files."""
    pipe = PipelineSpec(
        blocks=(),
        files={path: ConfigFile(path, content) for path, content in (files or {}).items()},
    )
    return block_class(PipelineContext(), pipe, "step", **config)


def apply(block: Block, rows: Rows | pa.Table) -> tuple[pa.Table, Account]:
    """Run a block, and check what every block owes: sound rows, books, and the columns it foretold.

    Returns:
        The output and the block's books.
    """
    table = rows_from_objects(rows) if isinstance(rows, list) else rows
    account = Account()
    result = block.apply(table, account)
    result.validate(full=True)
    assert result.column_names == block.columns_after(table.column_names)
    assert table.num_rows + account.added == (
        result.num_rows + account.filtered + len(account.rejections)
    )
    empty = block.apply(table.slice(0, 0), Account())
    assert empty.num_rows == 0
    assert empty.schema == result.schema
    return result, account


def run(
    block_class: type[Block],
    rows: Rows | pa.Table,
    files: Mapping[str, Mapping[str, Any]] | None = None,
    **config: Any,
) -> Rows:
    """Return the output rows of a block."""
    result: Rows = apply(make(block_class, files, **config), rows)[0].to_pylist()
    return result
