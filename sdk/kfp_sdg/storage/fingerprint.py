"""A fingerprint of rows: the same for the same content, however it lies in memory or in files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kfp_sdg.storage.types import is_text, type_name

if TYPE_CHECKING:
    from hashlib import _Hash

_ROWS_AT_ONCE = 4096
"""Part of what a fingerprint is: another number gives other fingerprints of more rows than this.
Of many more rows, the long texts of one column could overflow Arrow's 2 GiB limit."""


def fingerprint(table: pa.Table) -> str:
    """Return the fingerprint of a table.

    It covers the columns' names, order and types and every value, and nothing else: not the
    chunks, the encoding (dictionary, large or view text) or metadata.

    Returns:
        "sha256:" and 64 hexadecimal digits.
    """
    digest = hashlib.sha256(str(table.num_rows).encode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"\0{len(name)} {name} {type_name(column.type)}\0".encode())
        # Slices of a fixed size, so that the bytes do not depend on the chunks.
        for start in range(0, table.num_rows, _ROWS_AT_ONCE):
            part = column.slice(start, _ROWS_AT_ONCE)
            _update(digest, pa.concat_arrays(part.chunks))
    return f"sha256:{digest.hexdigest()}"


def _update(digest: _Hash, array: pa.Array) -> None:
    """Feed the validity of the cells, and then those that are valid, without gaps."""
    kind = array.type
    if pa.types.is_null(kind):
        return
    if pa.types.is_dictionary(kind):
        _update(digest, array.dictionary_decode())
        return
    digest.update(_bytes(array.is_valid().cast(pa.uint8())))
    values = array.drop_null()
    if pa.types.is_struct(kind):
        for part in values.flatten():
            _update(digest, part)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        if pa.types.is_map(kind):
            values = values.cast(
                pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
            )
        digest.update(_bytes(pc.list_value_length(values).cast(pa.int64())))
        _update(digest, values.flatten())
    elif is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        binary = values.cast(pa.large_binary())
        digest.update(_bytes(pc.binary_length(binary)))
        digest.update(_text_bytes(binary))
    elif pa.types.is_boolean(kind):
        digest.update(_bytes(values.cast(pa.uint8())))
    elif pa.types.is_nested(kind) or pa.types.is_binary_view(kind):  # maps, unions: rare
        digest.update(repr(values.to_pylist()).encode())
    else:
        digest.update(_bytes(values))


def _bytes(values: pa.Array) -> memoryview:
    """Return the bytes of values of a fixed width that has no nulls."""
    width = values.type.bit_width // 8
    data = values.buffers()[1]
    if data is None:
        return memoryview(b"")
    return memoryview(data)[values.offset * width : (values.offset + len(values)) * width]


def _text_bytes(values: pa.Array) -> memoryview:
    """Return the bytes of all texts, one after the other."""
    if not len(values):
        return memoryview(b"")
    offsets = memoryview(values.buffers()[1]).cast("q")
    return memoryview(values.buffers()[2])[
        offsets[values.offset] : offsets[values.offset + len(values)]
    ]
