"""SamplePopulatorBlock."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.choices import split_by_choice
from kfp_sdg.blocks.columns import as_type, common_type, put_column, text_array, with_column
from kfp_sdg.errors import StorageError
from kfp_sdg.spec import post_fixed
from kfp_sdg.storage import rows_from_objects
from kfp_sdg.storage.types import describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec


@register("SamplePopulatorBlock")
class SamplePopulatorBlock(Block):
    """Add to each row the entries of the YAML file that the row names.

    A file is named by its base name up to the first dot: ``seeds/poem.yaml`` is "poem". Its entries
    become columns and overwrite those of the same name; what a row's file does not have is null, or
    stays what it was. A row that is null or names no file is rejected with reason "choice".

    Args:
        config_paths: The YAML files, mappings each, relative to the pipeline.
        column_name: The column that names the file; numbers and bools are compared as text.
        post_fix: Load ``x_<post_fix>.yaml`` for each ``x.yaml``; rows still name it "x".

    Raises:
        BlockError: The column is missing, two files have one name, or an entry has values of types
            that do not mix.
    """

    row_wise: ClassVar[bool] = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        config_paths: list[str],
        column_name: str,
        post_fix: str = "",
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        self.column_name = column_name
        self.samples: dict[str, Mapping[str, Any]] = {}
        for path in config_paths:
            key = PurePosixPath(path).name.split(".")[0]
            if key in self.samples:
                raise self.error(f"config_paths has two files that rows would name {key!r}")
            self.samples[key] = self._load_config(post_fixed(path, post_fix))

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the columns, then the entries of the files that are not among them."""
        self.require(columns, [self.column_name])
        for sample in self.samples.values():
            for name in sample:
                columns = with_column(columns, name)
        return list(columns)

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows that name a file, with its entries; see ``Block.apply``."""
        self.columns_after(table.column_names)
        result, chosen = split_by_choice(self, table, self.column_name, list(self.samples), account)
        try:
            entries = rows_from_objects(list(self.samples.values()), source="config_paths")
        except StorageError as error:
            raise self.error(f"the files of config_paths do not fit together: {error}") from error
        for name in entries.column_names:
            cells = entries[name].take(chosen)
            present = [key for key, sample in self.samples.items() if name in sample]
            if name in table.column_names and len(present) < len(self.samples):
                cells = self._merged(name, result[name], cells, self._is_one_of(present, chosen))
            result = put_column(result, name, cells)
        return result

    def _is_one_of(self, keys: Sequence[str], chosen: pa.ChunkedArray) -> pa.ChunkedArray:
        """Tell for each row whether it chose one of these files."""
        names = text_array(list(self.samples)).take(chosen)
        return pc.is_in(names, value_set=text_array(keys))

    def _merged(
        self,
        name: str,
        old: pa.ChunkedArray,
        new: pa.ChunkedArray,
        is_present: pa.ChunkedArray,
    ) -> pa.ChunkedArray:
        """Return the new cells where the row's file has the entry, the old ones elsewhere."""
        kind = common_type([old.type, new.type])
        if kind is None:
            raise self.error(
                f"column {name!r} holds {describe(old.type)} cells and the files have "
                f"{describe(new.type)} values for it"
            )
        return pc.if_else(is_present, as_type(new, kind), as_type(old, kind))
