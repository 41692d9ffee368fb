"""From pandas to ``datasets``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame  # type: ignore[import-untyped]  # no stubs for one name


def dataset_from_pandas_dataframe(data_frame: DataFrame) -> Dataset:
    """Return a data frame's rows, without a column for its index."""
    from datasets import Dataset

    return Dataset.from_pandas(data_frame, preserve_index=False)
