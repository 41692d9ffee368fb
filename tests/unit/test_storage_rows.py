"""Reading rows from files: values stay what they are, and errors say where."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.registry import _registry

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import read_rows, rows_from_objects, write_dataset
from kfp_sdg.storage.json_rows import rows_of_schema

if TYPE_CHECKING:
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"id": "007", "when": "2024-01-31T12:00:00Z", "n": 1, "tags": ["a", None], "meta": {"x": 1}},
    {"id": " é😀\n\u2028", "when": None, "n": 2.5, "tags": [], "meta": {"x": None}},
]


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, name: str, content: str | bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_rows(save(folder, name, content)).to_pylist()
    return rows


def problem(folder: Path, name: str, content: str | bytes) -> str:
    path = save(folder, name, content)
    with pytest.raises(StorageError) as caught:
        read_rows(path)
    return str(caught.value).replace(str(path), name)


class TestValues:
    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "ROWS.JSONL"])
    def test_json_lines_are_read_as_they_are(self, tmp_path: Path, name: str) -> None:
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
        assert read(tmp_path, name, lines) == ROWS

    def test_a_json_list_is_read_as_it_is(self, tmp_path: Path) -> None:
        assert read(tmp_path, "rows.json", json.dumps(ROWS, indent=2)) == ROWS

    def test_parquet_is_read_as_it_is(self, tmp_path: Path) -> None:
        table = rows_from_objects(ROWS)
        pq.write_table(table, tmp_path / "rows.parquet")
        assert read_rows(tmp_path / "rows.parquet").equals(table)

    def test_rows_in_memory_are_taken_as_they_are(self) -> None:
        assert rows_from_objects(ROWS).to_pylist() == ROWS

    def test_text_that_looks_like_a_date_or_a_number_stays_text(self, tmp_path: Path) -> None:
        row = {"d": "2024-01-31", "t": "2024-01-31 10:00:00", "n": "1e3", "b": "true"}
        assert read(tmp_path, "a.jsonl", json.dumps(row)) == [row]

    def test_the_columns_are_those_of_all_rows_in_the_order_they_are_first_seen(
        self, tmp_path: Path
    ) -> None:
        table = read_rows(save(tmp_path, "a.jsonl", '{"b": 1}\n{"a": 2, "b": 3}\n{"c": null}'))
        assert table.column_names == ["b", "a", "c"]
        assert table.to_pylist()[0] == {"b": 1, "a": None, "c": None}

    def test_integers_among_floats_become_floats(self) -> None:
        table = rows_from_objects([{"n": 1}, {"n": 0.5}, {"n": None}])
        assert table.schema.field("n").type == pa.float64()
        assert table.to_pylist() == [{"n": 1.0}, {"n": 0.5}, {"n": None}]

    def test_a_long_integer_among_floats_is_taken_where_a_float_holds_it(self) -> None:
        rows = [{"n": 2**60}, {"n": 0.5}, {"n": -(2**63)}]
        assert rows_from_objects(rows).to_pylist() == rows

    def test_long_integers_in_lists_and_objects_keep_every_digit(self) -> None:
        rows = [{"a": {"b": [i]}, "n": i} for i in (1, 2**53 + 1, 2**63 - 1)]
        table = rows_from_objects(rows)
        assert table.schema.field("a").type == pa.struct([("b", pa.list_(pa.int64()))])
        assert table.schema.field("n").type == pa.int64()
        assert table.to_pylist() == rows

    def test_numbers_keep_every_digit(self, tmp_path: Path) -> None:
        rows = [{"i": i, "f": f} for i, f in [(2**63 - 1, 0.1), (-(2**63), 5e-324), (0, -0.0)]]
        table = rows_from_objects(rows)
        assert repr(table.to_pylist()) == repr(rows)

    def test_empty_lines_a_byte_order_mark_and_windows_line_ends_do_not_matter(
        self, tmp_path: Path
    ) -> None:
        content = b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \r\n{"a": 2}\r\n'
        assert read(tmp_path, "a.jsonl", content) == [{"a": 1}, {"a": 2}]
        assert read(tmp_path, "a.json", b'\xef\xbb\xbf[{"a": 1}]') == [{"a": 1}]
        assert read(tmp_path, "a.csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n") == [{"a": "1", "b": "2"}]

    def test_a_row_of_many_megabytes_fits(self, tmp_path: Path) -> None:
        rows = [{"a": "x" * 5_000_000}, {"a": "y"}]
        assert read(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))) == rows
        assert rows_from_objects(rows).to_pylist() == rows
        assert len(read(tmp_path, "a.csv", f"a\n{'x' * 5_000_000}\n")[0]["a"]) == 5_000_000

    def test_more_rows_than_are_built_at_once_keep_their_order(self) -> None:
        table = rows_from_objects([{"n": n} for n in range(50_001)])
        assert table["n"].to_pylist() == list(range(50_001))

    def test_no_rows_make_no_columns(self) -> None:
        assert rows_from_objects([]).num_columns == 0


@pytest.mark.parametrize(
    "column",
    [
        pa.array([float("nan"), float("-inf"), -0.0, 5e-324, None]),
        pa.array([0.1], pa.float32()),
        pa.array([2**64 - 1, None], pa.uint64()),
        pa.array(['"\\\u2028\0é', None, "2024-01-31 10:00:00"], pa.large_string()),
        pa.array(["x", None]).dictionary_encode(),
        pa.array([[{"a": None}, None], None, []], pa.list_(pa.struct([("a", pa.int64())]))),
        pa.array([datetime(2024, 1, 31), None]),
        pa.array([b"\xff"]),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([None]),
    ],
    ids=lambda column: str(column.type),
)
def test_rows_of_known_columns_are_what_they_were(column: pa.Array) -> None:
    table = pa.table({"c": column, "n": pa.nulls(len(column), pa.string())})
    rows = [{"c": row["c"], "beyond": 1} for row in table.to_pylist()]
    made = rows_of_schema(rows, table.schema)
    assert made.schema == table.schema
    assert repr(made.to_pylist()) == repr(table.to_pylist())  # NaN equals no NaN
    assert rows_of_schema([], table.schema).equals(table.slice(0, 0))


def test_a_column_that_may_not_be_null_stays_so() -> None:
    schema = pa.schema([pa.field("n", pa.int64(), nullable=False)])
    assert rows_of_schema([{"n": 1}], schema).schema == schema


class TestCsv:
    def test_every_cell_is_text(self, tmp_path: Path) -> None:
        assert read(tmp_path, "a.csv", "n,d,b\n007,2024-01-31,true\n") == [
            {"n": "007", "d": "2024-01-31", "b": "true"}
        ]

    def test_a_cell_with_nothing_in_it_is_null_and_a_quoted_one_is_empty(
        self, tmp_path: Path
    ) -> None:
        assert read(tmp_path, "a.csv", 'a,b\n,""\nNA,null\n') == [
            {"a": None, "b": ""},
            {"a": "NA", "b": "null"},
        ]

    def test_quoted_cells_hold_commas_quotes_and_lines(self, tmp_path: Path) -> None:
        assert read(tmp_path, "a.csv", '"a, b"\n"x, ""y""\nz"\n') == [{"a, b": 'x, "y"\nz'}]

    def test_names_without_rows_are_an_empty_table_with_its_columns(self, tmp_path: Path) -> None:
        table = read_rows(save(tmp_path, "a.csv", "a,b\n"))
        assert (table.num_rows, table.column_names) == (0, ["a", "b"])
        assert table.schema.types == [pa.string(), pa.string()]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "a.csv: the file is empty"),
            ("\n", "a.csv: the file is empty"),
            ("a,a\n1,2\n", "a.csv:1: two columns are named 'a'"),
            ("a,b\n1,2\n3\n", "Row #3: Expected 2 columns, got 1: 3"),
            ("a,b\n1,2,3\n", "Row #2: Expected 2 columns, got 3"),
            (b"a,b\n1,2\n\xe9,3\n", "a.csv:3: not UTF-8 text (byte 0xe9)"),
            ("a\n1".encode("utf-16"), "a.csv:1: not UTF-8"),
        ],
    )
    def test_errors_say_where(self, tmp_path: Path, content: str | bytes, message: str) -> None:
        assert message in problem(tmp_path, "a.csv", content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a" 2}', "a.jsonl:2:6: not JSON: Expecting ':' delimiter; expected one JSON"),
        ('{"a": 1} {"a": 2}', "a.jsonl:1:10: not JSON: Extra data"),
        ('{\n  "a": 1\n}', "a.jsonl:1:2: not JSON"),
        ('\n{"a": 1}\n[1]', "a.jsonl:3: expected one JSON object per line, not a list"),
        ("null", "a.jsonl:1: expected one JSON object per line, not null"),
        ("", "a.jsonl: holds no rows"),
        (" \n\n", "a.jsonl: holds no rows"),
        ("{}\n{}", "a.jsonl: holds no rows"),
        ('{"a": 1, "a": 2}', "a.jsonl:1: an object has the key 'a' twice"),
        (
            '{"a": null}\n{"a": 1}\n{"a": "x"}',
            "a.jsonl:3: column 'a' is text here ('x') but integer before (at a.jsonl:2)",
        ),
        ('{"a": 1}\n{"a": true}', "a.jsonl:2: column 'a' is bool here (True) but integer before"),
        (
            f'{{"a": 1}}\n{{"a": {2**53 + 1}}}\n{{"a": 0.5}}',
            "a.jsonl:3: column 'a' is float here (0.5) but integer beyond 2**53 before (at a.jsonl:"
            "2); a column holds values of one type, and a float would round that integer",
        ),
        (
            f'{{"a": 1}}\n{{"a": 0.5}}\n{{"a": {-(2**63) + 1}}}',
            f"a.jsonl:3: column 'a' is integer beyond 2**53 here ({-(2**63) + 1}) but float before "
            "(at a.jsonl:2)",
        ),
        (
            f'{{"a": [{2**53 + 1}]}}\n{{"a": [0.5]}}',
            "a.jsonl:2: column 'a' has lists or objects whose parts are both integer beyond 2**53 "
            "and float ([0.5], first seen at a.jsonl:1); each part holds values of one type, and",
        ),
        ('{"a": [1]}\n{"a": 1}', "column 'a' is integer here (1) but list of integer before"),
        ('{"a": [1, "x"]}', "a.jsonl:1: column 'a' has lists or objects whose parts are both"),
        ('{"a": {"b": 1}}\n{"a": {"b": "x"}}', "both integer and text"),
        (f'{{"a": {2**63}}}', f"a.jsonl:1: column 'a' has the integer {2**63}"),
        ('{"a": 1.5}\n{"a": 1e999}', "a.jsonl:2: JSON parse error: Number too big"),
        ('{"a": "x"}\n{"a": "\\ud800"}', "a.jsonl:2: JSON parse error: The surrogate pair"),
        (b'{"a": "x"}\n{"a": "\xe9"}', "a.jsonl:2: not UTF-8 text (byte 0xe9); save the file as"),
        ('{"a": 1}'.encode("utf-16"), "a.jsonl:1: not UTF-8"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "a.jsonl:1: nested too deeply"),
    ],
)
def test_errors_in_json_lines_say_where(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in problem(tmp_path, "a.jsonl", content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.json: the file is empty; expected a JSON list of objects"),
        ("[]", "a.json: holds no rows"),
        ('{"a": 1}', "expected a JSON list of objects, not an object"),
        ('"x"', "not text"),
        ("[1]", "a.json, row 0: expected an object, not a number"),
        ('[\n {"a": 1},\n {"a" 2}]', "a.json:3:7: not JSON: Expecting ':' delimiter"),
        ('[{"a": 1}, {"a": "x"}]', "a.json, row 1: column 'a' is text here ('x') but integer"),
        ('[{"a": "\\ud800"}]', "half a character"),
        (b'[\n{"a": "\xff"}]', "a.json:2: not UTF-8"),
    ],
)
def test_errors_in_a_json_list_say_where(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    assert message in problem(tmp_path, "a.json", content)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": object()}], "seeds, row 0: column 'a' has a value of type object"),
        ([{"a": {1: 2}}], "column 'a' has an object with a key that is not text"),
        ([{"a": 1}, {2: 3}], "seeds, row 1: a column's name is not text"),
        (["x"], "seeds, row 0: expected an object, not text"),
    ],
)
def test_objects_that_are_no_rows_are_an_error(rows: list[Any], message: str) -> None:
    with pytest.raises(StorageError) as caught:
        rows_from_objects(rows, source="seeds")
    assert message in str(caught.value)


class TestPlaces:
    def test_a_folder_of_parquet_files_is_read_in_the_order_of_their_names(
        self, tmp_path: Path
    ) -> None:
        pq.write_table(pa.table({"n": [2]}), tmp_path / "b.parquet")
        pq.write_table(pa.table({"n": [1]}), tmp_path / "a.parquet")
        save(tmp_path, "README.md", "x")
        assert read_rows(tmp_path).to_pylist() == [{"n": 1}, {"n": 2}]

    def test_parquet_files_of_different_columns_are_an_error(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"n": [1]}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"n": ["x"]}), tmp_path / "b.parquet")
        with pytest.raises(StorageError, match=r"b\.parquet has other columns or types than a\."):
            read_rows(tmp_path)

    def test_a_dataset_folder_is_read(self, tmp_path: Path) -> None:
        write_dataset(tmp_path / "d", rows_from_objects(ROWS))
        assert read_rows(str(tmp_path / "d")).to_pylist() == ROWS

    def test_urls_are_read_through_fsspec(self, tmp_path: Path) -> None:
        save(tmp_path, "a.jsonl", '{"a": 1}')
        write_dataset(tmp_path / "d", rows_from_objects(ROWS))
        assert read_rows(f"file://{tmp_path}/a.jsonl").to_pylist() == [{"a": 1}]
        assert read_rows(f"file://{tmp_path}/d").to_pylist() == ROWS
        with pytest.raises(StorageError, match="no such file or folder"):
            read_rows(f"file://{tmp_path}/none.jsonl")
        with pytest.raises(StorageError, match="nope"):
            read_rows("nope://bucket/a.jsonl")

    @pytest.mark.parametrize(
        ("url", "module", "package"),
        [
            ("s3://bucket/rows.jsonl", "s3fs", "'kfp-sdg[s3]'"),
            ("gs://bucket/rows.jsonl", "gcsfs", "gcsfs"),
            ("smb://host/share/rows.jsonl", "smbclient", "smbprotocol"),
        ],
    )
    def test_a_url_whose_package_is_missing_is_an_error_that_says_what_to_install(
        self, url: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
        monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)  # nor used before
        with pytest.raises(StorageError) as caught:
            read_rows(url)
        assert str(caught.value).startswith(f"{url}: ")
        assert str(caught.value).endswith(f": pip install {package}")

    def test_a_file_without_a_known_ending_is_an_error_that_names_the_endings(
        self, tmp_path: Path
    ) -> None:
        for name in ("rows.txt", "rows"):
            message = problem(tmp_path, name, "x")
            assert name in message
            assert ".jsonl or .ndjson (one JSON object per line), .json" in message

    def test_a_missing_file_and_a_folder_without_rows_are_errors(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match=r"none\.jsonl: no such file or folder"):
            read_rows(tmp_path / "none.jsonl")
        with pytest.raises(StorageError, match="the folder holds no rows"):
            read_rows(tmp_path)

    def test_a_damaged_parquet_file_is_an_error(self, tmp_path: Path) -> None:
        assert "not a Parquet file, or a damaged one" in problem(tmp_path, "a.parquet", "PAR1 x")

    @pytest.mark.skipif(
        sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything"
    )
    def test_a_file_that_may_not_be_read_is_an_error(self, tmp_path: Path) -> None:
        path = save(tmp_path, "a.jsonl", '{"a": 1}')
        path.chmod(0)
        with pytest.raises(StorageError, match="Permission denied"):
            read_rows(path)
