"""``datasets.Dataset`` at the public edge. The only module of the blocks that imports it."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

import datasets
import pyarrow as pa

if TYPE_CHECKING:
    from kfp_sdg.blocks.account import Account

logger = logging.getLogger(__name__)


def to_dataset(table: pa.Table) -> datasets.Dataset:
    """Wrap a table as a dataset without copying or hashing it.

    The fingerprint is made up: hashing a chunked table pickles every chunk of it, which took 20 GB
    for a million rows.
    """
    return datasets.Dataset(table, fingerprint=uuid.uuid4().hex[:16])


def from_dataset(samples: datasets.Dataset) -> pa.Table:
    """Return a dataset's rows as a plain Arrow table, honouring ``select`` and ``filter``."""
    rows = samples.flatten_indices() if samples._indices is not None else samples
    return rows.data.table.replace_schema_metadata(None)


def warn_of_rejections(block_name: str, account: Account) -> None:
    """Log how many rows a block rejected and why, if it rejected any."""
    if account.rejections:
        reasons = ", ".join(f"{n} {reason}" for reason, n in account.rejected_by_reason.items())
        logger.warning("block %r rejected rows: %s", block_name, reasons)
