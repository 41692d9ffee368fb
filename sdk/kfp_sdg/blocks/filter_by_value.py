"""FilterByValueBlock."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.blocks.base import Block, register
from kfp_sdg.blocks.casting import DType, convert
from kfp_sdg.blocks.columns import as_type, common_type, is_number, plain, put_column, scalar
from kfp_sdg.storage.types import describe, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.blocks.account import Account
    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import PipelineSpec

Value: TypeAlias = str | int | float | bool
Operation: TypeAlias = Literal["eq", "ne", "lt", "le", "gt", "ge", "contains"]

_COMPARE = {
    "eq": pc.equal,
    "ne": pc.not_equal,
    "lt": pc.less,
    "le": pc.less_equal,
    "gt": pc.greater,
    "ge": pc.greater_equal,
}


@register("FilterByValueBlock")
class FilterByValueBlock(Block):
    """Keep the rows whose cell compares with a value; drop the others.

    The operations are those of Python's ``operator`` that compare two values, read as "cell
    operation value". A cell that is null, or that does not convert, matches nothing (not even
    ``ne``), so its row is dropped, unless ``default_value`` says what to take instead. Text is
    compared exactly, white space and case included.

    Args:
        filter_column: The column to look at. With ``convert_dtype`` it stays converted.
        filter_value: What to compare with, or a list of which any one may match.
        operation: ``eq``, ``ne``, ``lt``, ``le``, ``gt``, ``ge``, or ``contains`` (the cell's text
            contains the value).
        convert_dtype: Convert the column and the values first. ``float`` takes decimal numbers,
            ``int`` those without a fraction ("2.0" is 2), ``bool`` true/yes/1 and false/no/0.
        default_value: Taken for cells that are null or do not convert.

    Raises:
        BlockError: The column is missing, or its cells and the values cannot be compared; a value
            does not convert.
    """

    row_wise: ClassVar[bool] = True

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        filter_column: str,
        filter_value: Value | list[Value],
        operation: Operation,
        convert_dtype: DType | None = None,
        default_value: Value | None = None,
    ) -> None:
        super().__init__(ctx, pipe, block_name)
        if operation not in get_args(Operation):
            raise self.error(
                f"unknown operation {operation!r}; expected one of {', '.join(get_args(Operation))}"
            )
        if convert_dtype is not None and convert_dtype not in get_args(DType):
            raise self.error(
                f"unknown convert_dtype {convert_dtype!r}; expected one of "
                f"{', '.join(get_args(DType))}"
            )
        values = filter_value if isinstance(filter_value, list) else [filter_value]
        if not values:
            raise self.error("filter_value is an empty list, so no row could ever match")
        if operation == "contains" and (
            convert_dtype is not None or not all(isinstance(v, str) for v in values)
        ):
            raise self.error(
                "operation contains looks for text in text: write filter_value in quotes and "
                "leave convert_dtype out"
            )
        self.filter_column = filter_column
        self.operation = operation
        self.convert_dtype = convert_dtype
        self.values = [self._scalar("filter_value", value) for value in values]
        self.default = (
            None if default_value is None else self._scalar("default_value", default_value)
        )

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """Return the same columns."""
        self.require(columns, [self.filter_column])
        return list(columns)

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Return the rows that match; see ``Block.apply``."""
        self.columns_after(table.column_names)
        column = self._converted(table[self.filter_column])
        table = put_column(table, self.filter_column, column)
        matches = [self._matches(column, value) for value in self.values]
        kept = table.filter(functools.reduce(pc.or_, matches))
        account.filtered += table.num_rows - kept.num_rows
        return kept

    def _scalar(self, key: str, value: Value) -> pa.Scalar:
        """Return a configured value, converted like the column."""
        if not isinstance(value, (str, int, float, bool)):
            raise self.error(f"{key} holds {value!r}; expected text, a number, true or false")
        try:
            given = scalar(value)
        except pa.ArrowInvalid:
            raise self.error(f"{key} {value} does not fit into 64 bits") from None
        if self.convert_dtype is None:
            return given
        converted = convert(pa.chunked_array([pa.repeat(given, 1)]), self.convert_dtype)[0]
        if not converted.is_valid:
            raise self.error(f"{key} {value!r} does not convert to {self.convert_dtype}")
        return converted

    def _converted(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if self.convert_dtype is not None:
            try:
                column = convert(column, self.convert_dtype)
            except TypeError:
                raise self.error(
                    f"column {self.filter_column!r} holds {describe(column.type)} cells, which do "
                    f"not convert to {self.convert_dtype}"
                ) from None
        column = plain(column)
        if self.default is None:
            return column
        self._check_comparable("default_value", column.type, self.default)
        return as_type(column, common_type([column.type, self.default.type])).fill_null(
            self.default
        )

    def _matches(self, column: pa.ChunkedArray, value: pa.Scalar) -> pa.ChunkedArray:
        """Return true or false for each cell."""
        self._check_comparable("filter_value", column.type, value)
        kind = common_type([column.type, value.type])
        column, value = as_type(column, kind), value.cast(kind, safe=False)
        if self.operation == "contains":
            found = pc.match_substring(column, value.as_py())
        else:
            found = _COMPARE[self.operation](column, value)
        return found.fill_null(scalar(False))

    def _check_comparable(self, key: str, kind: pa.DataType, value: pa.Scalar) -> None:
        same = (
            pa.types.is_null(kind)
            or (is_text(kind) and is_text(value.type))
            or (is_number(kind) and is_number(value.type))
            or (pa.types.is_boolean(kind) and pa.types.is_boolean(value.type))
        )
        if same and (self.operation != "contains" or is_text(kind) or pa.types.is_null(kind)):
            return
        wanted = {"integer": "int"}.get(describe(value.type), describe(value.type))
        advice = (
            f"; set convert_dtype: {wanted}, or write {key} in quotes to compare text"
            if is_text(kind) and wanted in get_args(DType)
            else ""
        )
        raise self.error(
            f"column {self.filter_column!r} holds {describe(kind)} cells, which do not compare "
            f"({self.operation}) with the {describe(value.type)} {key} {value.as_py()!r}{advice}"
        )
