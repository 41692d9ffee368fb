"""The blocks whose rows choose: SelectorBlock and SamplePopulatorBlock."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from column_blocks import apply, make, run
from kfp_sdg.blocks.sample_populator import SamplePopulatorBlock
from kfp_sdg.blocks.selector import SelectorBlock
from kfp_sdg.errors import BlockError


class TestSelector:
    config: ClassVar[dict[str, Any]] = {
        "choice_map": {"A": "first", "B": "second"},
        "choice_col": "choice",
        "output_col": "chosen",
    }

    def test_each_row_gets_the_cell_of_the_column_it_chose(self) -> None:
        rows = [
            {"choice": "A", "first": "a1", "second": "b1"},
            {"choice": "B", "first": "a2", "second": "b2"},
            {"choice": "B", "first": "a3", "second": None},
        ]
        assert [row["chosen"] for row in run(SelectorBlock, rows, **self.config)] == [
            "a1",
            "b2",
            None,
        ]

    @pytest.mark.parametrize("choice", ["C", "a", "", None])
    def test_a_row_whose_choice_is_unknown_is_rejected_with_its_row(
        self, choice: str | None
    ) -> None:
        rows = [
            {"choice": choice, "first": "x", "second": "y"},
            {"choice": "A", "first": "a", "second": "b"},
        ]
        table, account = apply(make(SelectorBlock, **self.config), rows)
        assert table.num_rows == 1
        (rejection,) = account.rejections
        assert rejection.reason == "choice"
        assert rejection.row == rows[0]
        assert rejection.message == f"choice is {choice!r}, which is none of: A, B"

    def test_numbers_and_bools_choose_by_their_text(self) -> None:
        config = {"choice_map": {"1": "x", "2": "y"}, "choice_col": "n", "output_col": "o"}
        rows = [{"n": 1, "x": "p", "y": "q"}, {"n": 2, "x": "p", "y": "q"}]
        assert [row["o"] for row in run(SelectorBlock, rows, **config)] == ["p", "q"]

    def test_the_choice_may_be_a_column_that_is_overwritten(self) -> None:
        config = {**self.config, "output_col": "choice"}
        rows = [{"choice": "A", "first": "x", "second": "y"}]
        assert run(SelectorBlock, rows, **config) == [{"choice": "x", "first": "x", "second": "y"}]

    @pytest.mark.parametrize(
        ("first", "second", "expected"),
        [(1, 2.5, [1.0, 2.5]), (1, "x", ["1", "x"]), ([1], [2], [[1], [2]]), (None, 1, [None, 1])],
    )
    def test_cells_of_different_types_meet_in_one(
        self, first: Any, second: Any, expected: list[Any]
    ) -> None:
        rows = [{"choice": c, "first": first, "second": second} for c in "AB"]
        assert [row["chosen"] for row in run(SelectorBlock, rows, **self.config)] == expected

    def test_types_that_do_not_mix_are_an_error(self) -> None:
        with pytest.raises(BlockError, match="do not mix: 'first' integer, 'second' list"):
            run(SelectorBlock, [{"choice": "A", "first": 1, "second": [1]}], **self.config)

    def test_a_column_that_could_be_chosen_but_is_missing_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="missing column 'second'"):
            run(SelectorBlock, [{"choice": "A", "first": 1}], **self.config)

    def test_lists_cannot_choose(self) -> None:
        with pytest.raises(BlockError, match="cannot name a choice"):
            run(SelectorBlock, [{"choice": ["A"], "first": 1, "second": 2}], **self.config)


class TestSamplePopulator:
    files: ClassVar[dict[str, dict[str, Any]]] = {
        "seeds/poem.yaml": {"q": "Write a poem.", "n": 1},
        "seeds/code.v2.yaml": {"q": "Write code.", "n": 2.5, "lang": "C"},
    }
    config: ClassVar[dict[str, Any]] = {"config_paths": list(files), "column_name": "kind"}

    def test_rows_get_the_entries_of_the_file_they_name_up_to_its_first_dot(self) -> None:
        rows = [{"kind": "code"}, {"kind": "poem"}]
        assert run(SamplePopulatorBlock, rows, self.files, **self.config) == [
            {"kind": "code", "q": "Write code.", "n": 2.5, "lang": "C"},
            {"kind": "poem", "q": "Write a poem.", "n": 1.0, "lang": None},
        ]

    def test_entries_overwrite_columns_and_what_a_file_lacks_stays(self) -> None:
        rows = [
            {"q": "old", "kind": "poem", "lang": "en"},
            {"q": "old", "kind": "code", "lang": "en"},
        ]
        populated = run(SamplePopulatorBlock, rows, self.files, **self.config)
        assert [(row["q"], row["lang"]) for row in populated] == [
            ("Write a poem.", "en"),
            ("Write code.", "C"),
        ]
        assert list(populated[0]) == ["q", "kind", "lang", "n"]

    def test_an_entry_of_all_files_has_its_own_type_whatever_the_column_was(self) -> None:
        rows = [{"kind": "poem", "n": "old"}]
        assert run(SamplePopulatorBlock, rows, self.files, **self.config)[0]["n"] == 1.0

    def test_the_post_fix_names_another_file_and_the_same_choice(self) -> None:
        files = {"seeds/poem_long.yaml": {"q": "Write a long poem."}}
        rows = run(
            SamplePopulatorBlock,
            [{"kind": "poem"}],
            files,
            config_paths=["seeds/poem.yaml"],
            column_name="kind",
            post_fix="long",
        )
        assert rows == [{"kind": "poem", "q": "Write a long poem."}]

    @pytest.mark.parametrize("choice", ["prose", None])
    def test_a_row_that_names_no_file_is_rejected(self, choice: str | None) -> None:
        rows = [{"kind": choice}, {"kind": "poem"}]
        table, account = apply(make(SamplePopulatorBlock, self.files, **self.config), rows)
        assert table.num_rows == 1
        assert account.rejected_by_reason == {"choice": 1}
        assert account.rejections[0].row == {"kind": choice}
        assert "none of: poem, code" in account.rejections[0].message

    def test_two_files_of_one_name_are_an_error(self) -> None:
        files = {"a/x.yaml": {"q": "1"}, "b/x.yaml": {"q": "2"}}
        with pytest.raises(BlockError, match="two files that rows would name 'x'"):
            make(SamplePopulatorBlock, files, config_paths=list(files), column_name="k")

    def test_entries_of_types_that_do_not_mix_are_an_error(self) -> None:
        files = {"x.yaml": {"n": 1}, "y.yaml": {"n": "one"}}
        with pytest.raises(BlockError, match=r"do not fit together.*'n' is text here"):
            run(
                SamplePopulatorBlock,
                [{"k": "x"}],
                files,
                config_paths=list(files),
                column_name="k",
            )

    def test_a_file_the_pipeline_does_not_have_is_an_error(self) -> None:
        with pytest.raises(BlockError, match=r"'z\.yaml' is not part of the pipeline"):
            make(SamplePopulatorBlock, config_paths=["z.yaml"], column_name="k")

    def test_a_missing_column_is_an_error(self) -> None:
        with pytest.raises(BlockError, match="missing column 'kind'"):
            run(SamplePopulatorBlock, [{"k": "x"}], self.files, **self.config)
