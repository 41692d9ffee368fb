"""Dataset artifacts: complete or not there, readable by others, and true to their content."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import (
    HistoryEntry,
    Manifest,
    artifact,
    fingerprint,
    read_dataset,
    rows_from_objects,
    write_dataset,
)

if TYPE_CHECKING:
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"q": "Why?", "n": 1, "f": 0.5, "ok": True, "tags": ["a"], "meta": {"k": "v"}, "none": None},
    {"q": None, "n": None, "f": None, "ok": None, "tags": None, "meta": None, "none": None},
]
TABLE = rows_from_objects(ROWS)
KNOWN = "9f07600b9697fa832475edb498c88aa117b38616cc696d1c2a8dd8e974b65604"
KNOWN_OF_MANY = "db16429ffb42de1b9bb1174a6a8ad9cdd76da9b7f21f09704c11610ef5485a6a"
HISTORY = (
    HistoryEntry("load", "load", 0, 2, added=2),
    HistoryEntry(
        block="gen",
        type="LLMBlock",
        rows_in=2,
        rows_out=5,
        added=4,
        duplicates=0,
        rejected=1,
        rejected_by_reason={"parse": 1},
        requests=2,
        prompt_tokens=10,
        completion_tokens=20,
        retries=3,
        retries_by_cause={"429": 2, "timeout": 1},
        journal_hits=4,
        wait_seconds=0.25,
        latency_p50=0.5,
        latency_p95=0.75,
        latency_p99=1.0,
        seconds=1.5,
        model="m",
    ),
)


def test_what_was_written_is_read_back_with_its_history(tmp_path: Path) -> None:
    written = write_dataset(tmp_path / "new" / "folder", TABLE, HISTORY)
    stored = read_dataset(tmp_path / "new" / "folder")
    assert stored.manifest == written
    assert stored.manifest.history == HISTORY
    assert stored.table.schema == TABLE.schema
    assert stored.table.to_pylist() == ROWS


def test_the_manifest_says_what_is_in_the_folder(tmp_path: Path) -> None:
    write_dataset(tmp_path, TABLE, HISTORY[:1])
    manifest = json.loads((tmp_path / "_manifest.json").read_text())
    assert manifest["format_version"] == 1
    assert manifest["rows"] == 2
    assert manifest["columns"][4:6] == [
        {"name": "tags", "type": "list<string>"},
        {"name": "meta", "type": "struct<k: string>"},
    ]
    assert manifest["fingerprint"] == fingerprint(TABLE)
    assert manifest["history"][0]["block"] == "load"


def test_an_empty_dataset_keeps_its_columns_and_types(tmp_path: Path) -> None:
    write_dataset(tmp_path, TABLE.slice(0, 0))
    table = read_dataset(tmp_path).table
    assert table.num_rows == 0
    assert table.schema == TABLE.schema


def test_many_rows_are_split_over_parts_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "ROWS_PER_PART", 4)
    table = pa.table({"n": list(range(10))})
    write_dataset(tmp_path, table)
    assert sorted(path.name for path in tmp_path.glob("part-*.parquet")) == [
        f"part-0000{n}-train.parquet" for n in range(3)
    ]
    assert read_dataset(tmp_path).table["n"].to_pylist() == list(range(10))


def test_parts_are_zstd_and_carry_no_metadata_of_pandas(tmp_path: Path) -> None:
    write_dataset(tmp_path, TABLE.replace_schema_metadata({"pandas": "{}"}))
    metadata = pq.ParquetFile(next(tmp_path.glob("*.parquet"))).metadata
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert b"pandas" not in (metadata.metadata or {})


def test_no_more_than_a_few_thousand_rows_wait_in_memory_to_be_written(tmp_path: Path) -> None:
    write_dataset(tmp_path / "rows", pa.table({"id": range(10_000)}))
    metadata = pq.ParquetFile(tmp_path / "rows" / "part-00000-train.parquet").metadata
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sum(groups) == 10_000
    assert max(groups) <= 4096


def test_datasets_reads_it_without_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import load_dataset

    monkeypatch.setattr(artifact, "ROWS_PER_PART", 1)
    write_dataset(tmp_path / "d", TABLE)
    for name, data_dir in (("parquet", tmp_path / "d"), (str(tmp_path / "d"), None)):
        loaded = load_dataset(
            name, data_dir=data_dir and str(data_dir), cache_dir=str(tmp_path / "cache")
        )
        assert list(loaded) == ["train"]
        assert loaded["train"].to_list() == ROWS


def test_pandas_reads_the_folder_without_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    monkeypatch.setattr(artifact, "ROWS_PER_PART", 1)
    write_dataset(tmp_path, TABLE)
    frame = pd.read_parquet(tmp_path)
    assert len(frame) == TABLE.num_rows
    assert list(frame.columns) == TABLE.column_names
    assert frame["q"][0] == "Why?"


def test_an_older_dataset_is_replaced_with_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "ROWS_PER_PART", 1)
    write_dataset(tmp_path, TABLE)
    write_dataset(tmp_path, TABLE.slice(1))
    assert read_dataset(tmp_path).table.to_pylist() == ROWS[1:]


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(StorageError, match=r"holds other things \(thesis.docx\)"):
        write_dataset(tmp_path, TABLE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_parquet_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "part-00000-train.parquet")
    with pytest.raises(StorageError, match="holds other things"):
        write_dataset(tmp_path, TABLE)


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("x")
    with pytest.raises(StorageError, match="d"):
        write_dataset(tmp_path / "d", TABLE)
    assert (tmp_path / "d").read_text() == "x"


def test_a_dataset_whose_writing_was_cut_short_is_unfinished_and_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path, TABLE)
    real = artifact.write_parquet

    def full_disk(path: Path, table: pa.Table) -> None:
        real(path, table)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact, "write_parquet", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        write_dataset(tmp_path, TABLE)
    with pytest.raises(StorageError, match="the dataset is unfinished"):
        read_dataset(tmp_path)
    monkeypatch.undo()
    write_dataset(tmp_path, TABLE)
    assert read_dataset(tmp_path).table.to_pylist() == ROWS


def test_what_is_no_dataset_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"it has no _manifest\.json"):
        read_dataset(tmp_path)
    with pytest.raises(StorageError, match="no such file or folder"):
        read_dataset(tmp_path / "none")


class TestDamage:
    @pytest.fixture(autouse=True)
    def dataset(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(artifact, "ROWS_PER_PART", 1)
        write_dataset(tmp_path, TABLE)

    def edit(self, folder: Path, **changes: Any) -> None:
        path = folder / "_manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def test_a_missing_part_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "part-00001-train.parquet").unlink()
        with pytest.raises(StorageError, match="the manifest tells of 2 rows"):
            read_dataset(tmp_path)
        (tmp_path / "part-00000-train.parquet").unlink()
        with pytest.raises(StorageError, match="no part of the rows"):
            read_dataset(tmp_path)

    def test_columns_other_than_the_manifests_are_found(self, tmp_path: Path) -> None:
        self.edit(tmp_path, columns=[{"name": "q", "type": "string"}])
        with pytest.raises(StorageError, match="damaged"):
            read_dataset(tmp_path)

    def test_a_part_cut_short_is_found(self, tmp_path: Path) -> None:
        part = tmp_path / "part-00000-train.parquet"
        part.write_bytes(part.read_bytes()[:-20])
        with pytest.raises(StorageError, match=r"part-00000-train\.parquet: not a Parquet file"):
            read_dataset(tmp_path)

    def test_a_flipped_bit_in_a_page_is_found(self, tmp_path: Path) -> None:
        part = tmp_path / "part-00000-train.parquet"
        content = bytearray(part.read_bytes())
        column = pq.ParquetFile(part).metadata.row_group(0).column(0)
        content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
        part.write_bytes(content)
        with pytest.raises(StorageError, match="damaged"):
            read_dataset(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": "x"}', "\xff"])
    def test_a_manifest_that_is_none_is_found(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "_manifest.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(StorageError, match=r"manifest\.json"):
            read_dataset(tmp_path)

    def test_a_dataset_of_a_later_version_asks_for_a_newer_kfp_sdg(self, tmp_path: Path) -> None:
        self.edit(tmp_path, format_version=2)
        with pytest.raises(StorageError, match=r"format version 2.*install a newer kfp-sdg"):
            read_dataset(tmp_path)


def test_keys_that_a_later_version_adds_to_the_history_do_not_matter() -> None:
    value = {**HISTORY[0].to_json(), "carbon": 3}
    assert HistoryEntry.from_json(value) == HISTORY[0]


def test_what_an_earlier_version_did_not_count_is_zero() -> None:
    value = HISTORY[1].to_json()
    newer = ("retries", "retries_by_cause", "journal_hits", "wait_seconds")
    newer += ("latency_p50", "latency_p95", "latency_p99")
    for name in newer:
        del value[name]
    entry = HistoryEntry.from_json(value)
    assert [getattr(entry, name) for name in newer] == [0, {}, 0, 0.0, 0.0, 0.0, 0.0]
    assert entry.requests == 2


def test_a_manifest_survives_json() -> None:
    manifest = Manifest(2, {"b": "string", "a": "int64"}, "sha256:0", HISTORY)
    again = Manifest.from_text(json.dumps(manifest.to_json()), "m")
    assert again == manifest
    assert list(again.columns) == ["b", "a"]


def test_two_columns_of_one_name_cannot_be_written(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(StorageError, match="two columns are named 'a'"):
        write_dataset(tmp_path / "d", table)


def test_a_type_that_parquet_cannot_hold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be stored as Parquet.*'a'"):
        write_dataset(tmp_path / "d", rows_from_objects([{"a": {}}]))


class TestFingerprint:
    def test_it_is_the_same_after_storage(self, tmp_path: Path) -> None:
        assert write_dataset(tmp_path, TABLE).fingerprint == fingerprint(
            read_dataset(tmp_path).table
        )

    def test_it_is_known(self) -> None:
        """A fingerprint is kept in artifacts, so it must not change from release to release."""
        assert fingerprint(TABLE) == f"sha256:{KNOWN}"

    def test_it_is_known_of_many_rows_too(self) -> None:
        table = pa.table({"n": list(range(10_000)), "t": [str(n) for n in range(10_000)]})
        assert fingerprint(table) == f"sha256:{KNOWN_OF_MANY}"

    def test_texts_of_together_more_than_two_gigabytes_have_one(self) -> None:
        chunk = pa.array(["x" * 33_000] * 2048)  # many times the same one: little memory
        table = pa.table({"t": pa.chunked_array([chunk] * 32)})
        assert table["t"].nbytes > 1 << 31
        assert fingerprint(table).startswith("sha256:")

    @settings(max_examples=50, deadline=None)
    @given(
        rows=st.lists(
            st.fixed_dictionaries(
                {
                    "t": st.none() | st.text(),
                    "n": st.none() | st.integers(-(2**63), 2**63 - 1),
                    "f": st.none() | st.floats(allow_nan=False),
                    "b": st.none() | st.booleans(),
                    "l": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
                    "s": st.none() | st.fixed_dictionaries({"x": st.none() | st.integers(0, 9)}),
                }
            ),
            max_size=12,
        ),
        cuts=st.lists(st.integers(0, 12), max_size=3),
    )
    def test_it_does_not_depend_on_how_the_rows_lie_in_memory(
        self, rows: list[dict[str, Any]], cuts: list[int]
    ) -> None:
        schema = pa.schema(
            [
                ("t", pa.string()),
                ("n", pa.int64()),
                ("f", pa.float64()),
                ("b", pa.bool_()),
                ("l", pa.list_(pa.string())),
                ("s", pa.struct([("x", pa.int64())])),
            ]
        )
        table = pa.Table.from_pylist(rows, schema)
        edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
        pieces = [table.slice(start, end - start) for start, end in pairwise(edges)]
        assert fingerprint(pa.concat_tables(pieces)) == fingerprint(table)
        encoded = table.set_column(0, "t", table["t"].cast(pa.large_string()))
        assert fingerprint(encoded) == fingerprint(table)
        encoded = table.set_column(0, "t", table["t"].dictionary_encode())
        assert fingerprint(encoded) == fingerprint(table)
        assert fingerprint(table.replace_schema_metadata({"k": "v"})) == fingerprint(table)
        behind = pa.concat_tables([table, table]).combine_chunks().slice(len(rows))
        assert fingerprint(behind) == fingerprint(table)

    def test_it_does_not_depend_on_the_chunks_of_many_rows(self) -> None:
        table = pa.table({"n": list(range(200_000)), "t": [str(n) for n in range(200_000)]})
        pieces = [table.slice(start, 70_001) for start in range(0, 200_000, 70_001)]
        assert fingerprint(pa.concat_tables(pieces)) == fingerprint(table)

    def test_values_under_nulls_do_not_count(self) -> None:
        data = pa.array([1, 2, 3]).buffers()[1]
        other = pa.array([1, 9, 3]).buffers()[1]
        valid = pa.array([1, None, 3]).buffers()[0]
        arrays = [pa.Array.from_buffers(pa.int64(), 3, [valid, b]) for b in (data, other)]
        assert fingerprint(pa.table({"n": arrays[0]})) == fingerprint(pa.table({"n": arrays[1]}))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"a": ["x"]}, {"b": ["x"]}),
            ({"a": ["x"]}, {"a": ["y"]}),
            ({"a": ["x"]}, {"a": ["x", "x"]}),
            ({"a": ["ab", "c"]}, {"a": ["a", "bc"]}),
            ({"a": ["", None]}, {"a": [None, ""]}),
            ({"a": ["x"], "b": ["y"]}, {"b": ["y"], "a": ["x"]}),
            ({"a": [1]}, {"a": [1.0]}),
            ({"a": [1]}, {"a": ["1"]}),
            ({"a": [[1], [2, 3]]}, {"a": [[1, 2], [3]]}),
            ({"a": [[]]}, {"a": [None]}),
            ({"a": [{"x": 1}]}, {"a": [{"y": 1}]}),
            ({"a": [None]}, {"a": [None, None]}),
        ],
    )
    def test_it_tells_different_content_apart(
        self, one: dict[str, Any], other: dict[str, Any]
    ) -> None:
        assert fingerprint(pa.table(one)) != fingerprint(pa.table(other))
