"""The rows that a run starts from: an address, or a small file that travels as a parameter."""

from __future__ import annotations

import os

from kfp_sdg.cluster.submit.parameters import INPUT_URI, SEED_SAMPLES, Given
from kfp_sdg.errors import Position, SpecError, StorageError
from kfp_sdg.runtime.encoding import dump_json

_LARGEST_FILE = 10 << 20
"""Bytes of a file that is not even read: no more than 100,000 of its rows' JSON can be sent."""


def rows_as_parameter(place: str) -> tuple[str, Given]:
    """Return the parameter that tells a pipeline's first task of its rows.

    Args:
        place: A URL, which the task reads; or a file or folder here, which is read now.

    Raises:
        StorageError: There are no rows, or they hold what JSON cannot; the user's mistake.
    """
    from kfp_sdg.storage import places, read_rows

    where = Position("--input")
    if places.is_url(place):
        return INPUT_URI, Given(place, where, typed=True)
    try:
        size = os.path.getsize(place) if os.path.isfile(place) else 0
        if size > _LARGEST_FILE:
            raise StorageError(
                f"{place} has {size:,} bytes, too many for a parameter: put it into an object "
                "store and give its address, --input s3://bucket/rows.jsonl"
            )
        rows = read_rows(place).to_pylist()
        if not rows:
            raise StorageError(f"{place} holds no rows")
        text = dump_json(rows)
    except (TypeError, ValueError) as error:
        raise _mistake(StorageError(f"{place} cannot be sent as JSON: {error}")) from error
    except StorageError as error:
        raise _mistake(error) from error
    return SEED_SAMPLES, Given(text, Position(place), typed=True)


def _mistake(error: StorageError) -> StorageError:
    error.exit_code = SpecError.exit_code
    return error
