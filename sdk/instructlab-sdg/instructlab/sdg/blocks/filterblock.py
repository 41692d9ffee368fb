"""FilterByValueBlock."""

from __future__ import annotations

from typing import Any

from instructlab.sdg.blocks.block import SettingError
from kfp_sdg.blocks import filter_by_value
from kfp_sdg.errors import BlockError


class FilterByValueBlockError(SettingError):
    """A filter's settings are wrong."""


class FilterByValueBlock(filter_by_value.FilterByValueBlock):
    """Keep the rows whose cell compares with a value; see kfp-sdg's block of the same name."""

    def __init__(
        self,
        ctx: Any,
        pipe: Any,
        block_name: str,
        filter_column: str,
        filter_value: Any,
        operation: Any,
        convert_dtype: Any = None,
        default_value: Any = None,
    ) -> None:
        """Read the settings.

        Raises:
            FilterByValueBlockError: They are wrong.
        """
        try:
            super().__init__(
                ctx,
                pipe,
                block_name,
                filter_column,
                filter_value,
                operation,
                convert_dtype,
                default_value,
            )
        except BlockError as error:
            raise FilterByValueBlockError(error.message, block_name=block_name) from error


__all__ = ["FilterByValueBlock", "FilterByValueBlockError"]
