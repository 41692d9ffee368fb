"""JSON lines: one object at a time, files whole or not at all, and JSON that every reader takes."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.errors import StorageError
from kfp_sdg.storage.json_lines import json_objects, json_text, write_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text.encode(), parse_constant=refuse)


def test_objects_come_with_the_number_of_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"a": "\xc3\xa9"}')
    assert list(json_objects(path)) == [(1, {"a": 1}), (4, {"a": "é"})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"a": 1', r"a\.jsonl:2:8: not JSON"),
        (b"[1]", r"a\.jsonl:2: expected one JSON object per line, not a list"),
        (b'{"a": 1, "a": 2}', r"a\.jsonl:2: an object has the key 'a' twice"),
        (b'{"a": "\xff"}', r"a\.jsonl:2: not UTF-8 text"),
    ],
)
def test_a_damaged_line_is_told_when_it_is_reached(
    tmp_path: Path, line: bytes, problem: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 0}\n' + line + b"\n")
    objects = json_objects(path)
    assert next(objects) == (1, {"a": 0})
    with pytest.raises(StorageError, match=problem):
        next(objects)


def test_rows_are_written_and_counted_and_their_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.jsonl"
    assert write_json_lines(path, iter([{"é": 1}, {"b": "\u2028\n"}])) == 2
    assert path.read_text(encoding="utf-8") == '{"é": 1}\n{"b": "\u2028\\n"}\n'
    assert write_json_lines(path, []) == 0
    assert path.read_bytes() == b""


def test_a_file_that_is_not_finished_is_not_there_and_an_older_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("older\n")

    def stopping() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_json_lines(path, stopping())
    assert path.read_text() == "older\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file/a\.jsonl"):
        write_json_lines(tmp_path / "file" / "a.jsonl", [])


def test_what_json_has_no_words_for_is_null_or_text() -> None:
    row = {
        "a": [math.nan, {"b": math.inf}, 1.5],
        "c": "\ud800",
        "d": datetime(2026, 1, 2, tzinfo=UTC),
    }
    assert strict(json_text(row)) == {
        "a": [None, {"b": None}, 1.5],
        "c": "\ud800",
        "d": "2026-01-02 00:00:00+00:00",
    }


@given(VALUES)
def test_any_value_is_json_that_comes_back(value: Any) -> None:
    found = strict(json_text(value))
    assert strict(json_text(found)) == found
