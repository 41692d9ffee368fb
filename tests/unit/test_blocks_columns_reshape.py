"""The blocks that move columns: rename, duplicate, combine, flatten, set to majority."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pytest

from column_blocks import apply, make, run
from kfp_sdg.blocks.combine_columns import CombineColumnsBlock
from kfp_sdg.blocks.duplicate_columns import DuplicateColumnsBlock
from kfp_sdg.blocks.flatten_columns import FlattenColumnsBlock
from kfp_sdg.blocks.rename_columns import RenameColumnsBlock
from kfp_sdg.blocks.set_to_majority_value import SetToMajorityValueBlock
from kfp_sdg.errors import BlockError


class TestRename:
    def test_columns_keep_their_place_under_their_new_names(self) -> None:
        block = make(RenameColumnsBlock, columns_map={"a": "x"})
        assert block.columns_after(["a", "b"]) == ["x", "b"]
        assert run(RenameColumnsBlock, [{"a": 1, "b": 2}], columns_map={"a": "x"}) == [
            {"x": 1, "b": 2}
        ]

    @pytest.mark.parametrize(
        ("columns_map", "expected"),
        [
            ({"a": "b", "b": "a"}, {"b": 1, "a": 2}),
            ({"a": "c", "b": "a"}, {"c": 1, "a": 2}),
            ({"b": "a", "a": "c"}, {"c": 1, "a": 2}),
            ({"a": "a"}, {"a": 1, "b": 2}),
        ],
    )
    def test_swaps_and_chains_happen_at_once(
        self, columns_map: dict[str, str], expected: dict[str, int]
    ) -> None:
        assert run(RenameColumnsBlock, [{"a": 1, "b": 2}], columns_map=columns_map) == [expected]

    @pytest.mark.parametrize("columns_map", [{"a": "b"}, {"a": "c", "b": "c"}])
    def test_two_columns_of_one_name_are_an_error(self, columns_map: dict[str, str]) -> None:
        with pytest.raises(BlockError, match="more than one column would be named"):
            run(RenameColumnsBlock, [{"a": 1, "b": 2}], columns_map=columns_map)

    def test_a_missing_column_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="missing column 'z'; the rows have a"):
            run(RenameColumnsBlock, [{"a": 1}], columns_map={"z": "y"})


class TestDuplicate:
    def test_copies_come_last_in_the_order_of_the_map(self) -> None:
        rows = run(DuplicateColumnsBlock, [{"a": [1], "b": None}], columns_map={"b": "y", "a": "x"})
        assert rows == [{"a": [1], "b": None, "y": None, "x": [1]}]

    def test_a_copy_can_be_copied(self) -> None:
        rows = run(DuplicateColumnsBlock, [{"a": 1}], columns_map={"a": "b", "b": "c"})
        assert rows == [{"a": 1, "b": 1, "c": 1}]

    @pytest.mark.parametrize("columns_map", [{"a": "b"}, {"a": "a"}, {"a": "c", "b": "c"}])
    def test_a_name_that_is_taken_is_an_error(self, columns_map: dict[str, str]) -> None:
        with pytest.raises(BlockError, match="cannot make column"):
            run(DuplicateColumnsBlock, [{"a": 1, "b": 2}], columns_map=columns_map)

    def test_a_missing_column_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="missing column 'z'"):
            run(DuplicateColumnsBlock, [{"a": 1}], columns_map={"z": "y"})


class TestCombine:
    def test_texts_are_joined_with_an_empty_line_unless_told_otherwise(self) -> None:
        rows = [{"q": "Why?", "c": "Rain."}]
        assert run(CombineColumnsBlock, rows, columns=["c", "q"], output_col="all") == [
            {"q": "Why?", "c": "Rain.", "all": "Rain.\n\nWhy?"}
        ]
        assert run(
            CombineColumnsBlock, rows, columns=["c", "q"], output_col="all", separator=""
        ) == [{"q": "Why?", "c": "Rain.", "all": "Rain.Why?"}]

    def test_null_cells_are_skipped_with_their_separator_and_no_row_is_lost(self) -> None:
        rows = [
            {"a": "1", "b": None, "c": "3"},
            {"a": None, "b": None, "c": None},
            {"a": None, "b": "2", "c": None},
            {"a": "", "b": "2", "c": None},
        ]
        combined = run(
            CombineColumnsBlock, rows, columns=["a", "b", "c"], output_col="o", separator="-"
        )
        assert [row["o"] for row in combined] == ["1-3", None, "2", "-2"]

    def test_a_column_of_nulls_only_is_skipped(self) -> None:
        rows = [{"a": "x", "b": None}, {"a": None, "b": None}]
        combined = run(CombineColumnsBlock, rows, columns=["b", "a"], output_col="o")
        assert [row["o"] for row in combined] == ["x", None]

    def test_numbers_and_bools_become_text(self) -> None:
        rows = [{"i": 7, "f": 2.5, "g": 2.0, "b": True}]
        combined = run(
            CombineColumnsBlock, rows, columns=["i", "f", "g", "b"], output_col="o", separator=" "
        )
        assert combined[0]["o"] == "7 2.5 2 true"

    def test_an_output_column_that_exists_is_replaced_where_it_stands(self) -> None:
        rows = [{"question": "Why?", "context": "Rain."}]
        assert list(
            run(CombineColumnsBlock, rows, columns=["context", "question"], output_col="question")[
                0
            ].items()
        ) == [("question", "Rain.\n\nWhy?"), ("context", "Rain.")]

    def test_chunks_of_different_lengths_are_no_trouble(self) -> None:
        table = pa.table(
            {
                "a": pa.chunked_array([["1", None], [None]]),
                "b": pa.chunked_array([["x"], ["y", None]]),
            }
        )
        combined = run(CombineColumnsBlock, table, columns=["a", "b"], output_col="o")
        assert [row["o"] for row in combined] == ["1\n\nx", "y", None]

    def test_lists_cannot_be_combined(self) -> None:
        with pytest.raises(BlockError, match="'a' holds list of text cells"):
            run(CombineColumnsBlock, [{"a": ["x"]}], columns=["a"], output_col="o")

    def test_no_columns_or_a_missing_one_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="columns is empty"):
            make(CombineColumnsBlock, columns=[], output_col="o")
        with pytest.raises(BlockError, match="missing column 'z'"):
            run(CombineColumnsBlock, [{"a": "x"}], columns=["a", "z"], output_col="o")


class TestFlatten:
    config: ClassVar[dict[str, Any]] = {
        "var_cols": ["a", "b"],
        "value_name": "value",
        "var_name": "name",
    }

    def test_all_rows_of_the_first_column_come_before_those_of_the_second(self) -> None:
        rows = [{"a": "a1", "id": 1, "b": "b1"}, {"a": "a2", "id": 2, "b": None}]
        block = make(FlattenColumnsBlock, **self.config)
        table, account = apply(block, rows)
        assert table.column_names == ["id", "name", "value"]
        assert table.to_pylist() == [
            {"id": 1, "name": "a", "value": "a1"},
            {"id": 2, "name": "a", "value": "a2"},
            {"id": 1, "name": "b", "value": "b1"},
            {"id": 2, "name": "b", "value": None},
        ]
        assert account.added == 2

    def test_it_gives_what_pandas_melt_gives(self) -> None:
        import pandas as pd

        rows = [{"x": i, "a": f"a{i}", "y": -i, "b": f"b{i}", "c": f"c{i}"} for i in range(4)]
        config = {"var_cols": ["b", "a", "c"], "value_name": "v", "var_name": "k"}
        melted = pd.DataFrame(rows).melt(
            id_vars=["x", "y"], value_vars=["b", "a", "c"], value_name="v", var_name="k"
        )
        assert run(FlattenColumnsBlock, rows, **config) == melted.to_dict("records")

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ({"a": 1, "b": 2.5}, [1.0, 2.5]),
            ({"a": 1, "b": "x"}, ["1", "x"]),
            ({"a": True, "b": 1}, ["true", "1"]),
            ({"a": None, "b": [1]}, [None, [1]]),
            ({"a": ["x"], "b": ["y"]}, [["x"], ["y"]]),
        ],
    )
    def test_cells_of_different_types_meet_in_one(
        self, row: dict[str, Any], expected: list[Any]
    ) -> None:
        assert [r["value"] for r in run(FlattenColumnsBlock, [row], **self.config)] == expected

    def test_lists_and_text_do_not_mix(self) -> None:
        with pytest.raises(BlockError, match=r"do not mix: 'a' list of integer, 'b' text"):
            run(FlattenColumnsBlock, [{"a": [1], "b": "x"}], **self.config)

    def test_a_new_name_that_is_taken_is_an_error(self) -> None:
        for taken in ("value", "name"):
            with pytest.raises(BlockError, match=f"cannot make column '{taken}'"):
                run(FlattenColumnsBlock, [{"a": 1, "b": 2, taken: 3}], **self.config)

    def test_a_flattened_column_gives_its_name_free(self) -> None:
        config = {**self.config, "value_name": "a"}
        assert run(FlattenColumnsBlock, [{"a": 1, "b": 2}], **config) == [
            {"name": "a", "a": 1},
            {"name": "b", "a": 2},
        ]

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"var_cols": []}, "var_cols is empty"),
            ({"var_cols": ["a", "a"]}, "names a column twice"),
            ({"value_name": "name"}, "value_name and var_name are both 'name'"),
        ],
    )
    def test_settings_that_cannot_work_are_refused(
        self, config: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BlockError, match=message):
            make(FlattenColumnsBlock, **{**self.config, **config})

    def test_a_missing_column_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="missing column 'b'"):
            run(FlattenColumnsBlock, [{"a": 1}], **self.config)


class TestSetToMajorityValue:
    @pytest.mark.parametrize(
        ("cells", "majority"),
        [
            (["a", "b", "b"], "b"),
            (["b", "a", "c"], "a"),
            (["z", "z", "b", "b", "a"], "b"),
            ([None, None, "x"], "x"),
            ([3, 1, 2, 1, 2], 1),
            ([2.5, float("nan"), float("nan")], 2.5),
            ([True, False], False),
        ],
    )
    def test_the_most_frequent_value_wins_and_of_several_the_smallest(
        self, cells: list[Any], majority: Any
    ) -> None:
        rows = [{"a": cell, "n": n} for n, cell in enumerate(cells)]
        assert run(SetToMajorityValueBlock, rows, col_name="a") == [
            {"a": majority, "n": n} for n in range(len(cells))
        ]

    def test_a_column_of_nulls_only_stays(self) -> None:
        assert run(SetToMajorityValueBlock, [{"a": None}], col_name="a") == [{"a": None}]

    def test_it_is_the_whole_dataset_that_counts(self) -> None:
        table = pa.table({"a": pa.chunked_array([["x", "x", "y"], ["y", "y"]])})
        assert not SetToMajorityValueBlock.row_wise
        assert {row["a"] for row in run(SetToMajorityValueBlock, table, col_name="a")} == {"y"}

    def test_lists_have_no_majority(self) -> None:
        with pytest.raises(BlockError, match="holds list of integer cells"):
            run(SetToMajorityValueBlock, [{"a": [1]}], col_name="a")

    def test_a_missing_column_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="missing column 'z'"):
            run(SetToMajorityValueBlock, [{"a": 1}], col_name="z")
