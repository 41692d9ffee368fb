"""Mixing: which rows go into a file, what they look like, and what stops it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.instructlab.mixing import Mixed, Recipe, mix, write_recipe
from training_files import read_lines, training_row, write_lines

if TYPE_CHECKING:
    from pathlib import Path


def mixed_rows(
    folder: Path, sizes: dict[str, int | float], *, prompt: str = "", **options: Any
) -> list[dict[str, Any]]:
    mix_files(folder, sizes, prompt=prompt, **options)
    return read_lines(folder / "mix.jsonl")


def mix_files(
    folder: Path, sizes: dict[str, int | float], *, prompt: str = "", **options: Any
) -> Mixed:
    recipe = Recipe(sys_prompt=prompt)
    for path, size in sizes.items():
        recipe = recipe.adding(path, size)
    write_recipe(recipe, folder / "recipe.yaml")
    return mix(folder / "recipe.yaml", folder / "mix.jsonl", **options)


def save(folder: Path, rows: int, name: str = "a.jsonl") -> None:
    write_lines(folder / name, [training_row(n) for n in range(rows)])


class TestSampling:
    def test_up_to_the_size_of_a_set_no_row_comes_twice(self, tmp_path: Path) -> None:
        save(tmp_path, 100)
        for size in (30, 99, 100, 0.3, 1.0):
            ids = [row["id"] for row in mixed_rows(tmp_path, {"a.jsonl": size})]
            assert len(set(ids)) == len(ids) == (size if size not in (0.3, 1.0) else size * 100)

    def test_one_row_is_one_row(self, tmp_path: Path) -> None:
        save(tmp_path, 10)
        assert len(mixed_rows(tmp_path, {"a.jsonl": 1})) == 1

    def test_a_ratio_that_gives_no_rows_gives_none(self, tmp_path: Path) -> None:
        save(tmp_path, 3)
        assert mixed_rows(tmp_path, {"a.jsonl": 0.1}) == []

    def test_above_the_size_of_a_set_every_row_comes_once_more_before_any_comes_again(
        self, tmp_path: Path
    ) -> None:
        save(tmp_path, 4)
        ids = [row["id"] for row in mixed_rows(tmp_path, {"a.jsonl": 10})]
        assert ids[:4] == ids[4:8] == ["id-0", "id-1", "id-2", "id-3"]
        assert len(set(ids[8:])) == 2

    def test_datasets_come_in_the_order_of_the_recipe_and_are_counted(self, tmp_path: Path) -> None:
        save(tmp_path, 5)
        save(tmp_path, 2, "sub/b.jsonl")
        write_lines(tmp_path / "none.jsonl", [])
        mixed = mix_files(tmp_path, {"sub/b.jsonl": 3, "a.jsonl": 0.5, "none.jsonl": 30})
        counts = [(d.path, d.rows, d.sampled) for d in mixed.datasets]
        assert counts == [("sub/b.jsonl", 2, 3), ("a.jsonl", 5, 2), ("none.jsonl", 0, 0)]
        assert mixed.rows == 5 == len(read_lines(tmp_path / "mix.jsonl"))

    def test_another_seed_draws_other_rows(self, tmp_path: Path) -> None:
        save(tmp_path, 100)
        draws = [mixed_rows(tmp_path, {"a.jsonl": 10}, seed=seed) for seed in (1, 1, 2)]
        assert draws[0] == draws[1] != draws[2]

    def test_what_is_drawn_does_not_depend_on_where_the_files_are(self, tmp_path: Path) -> None:
        save(tmp_path, 100)
        save(tmp_path, 100, "moved/a.jsonl")
        drawn = mixed_rows(tmp_path, {"a.jsonl": 10})
        assert mixed_rows(tmp_path, {"moved/a.jsonl": 10}) == drawn


class TestRows:
    def row(self, folder: Path, row: dict[str, Any], **options: Any) -> dict[str, Any]:
        write_lines(folder / "a.jsonl", [row])
        (found,) = mixed_rows(folder, {"a.jsonl": 1.0}, **options)
        return found

    def test_a_row_has_four_columns_and_the_others_are_in_its_metadata(
        self, tmp_path: Path
    ) -> None:
        row = training_row(1, metadata='{"domain": "x"}', score=2.5, question=None)
        found = self.row(tmp_path, row)
        assert list(found) == ["id", "messages", "metadata", "unmask"]
        assert json.loads(found["metadata"]) == {"domain": "x", "score": 2.5, "question": None}

    @pytest.mark.parametrize(
        ("metadata", "expected"),
        [
            ('{"a":1}', {"a": 1}),
            ({"a": 1}, {"a": 1}),
            (None, {}),
            ("not JSON", "not JSON"),
        ],
    )
    def test_metadata_is_always_text(self, tmp_path: Path, metadata: Any, expected: Any) -> None:
        found = self.row(tmp_path, training_row(1, metadata=metadata))["metadata"]
        assert (found if expected == "not JSON" else json.loads(found)) == expected

    def test_metadata_that_is_no_object_is_kept_beside_other_columns(self, tmp_path: Path) -> None:
        found = self.row(tmp_path, training_row(1, metadata="note", score=1))
        assert json.loads(found["metadata"]) == {"metadata": "note", "score": 1}

    def test_a_row_to_be_learnt_whole_stays_one(self, tmp_path: Path) -> None:
        assert self.row(tmp_path, training_row(1, unmask=True))["unmask"] is True

    def test_a_row_without_unmask_and_id_gets_them(self, tmp_path: Path) -> None:
        row = training_row(1)
        del row["unmask"], row["id"]
        found = self.row(tmp_path, row)
        assert found["unmask"] is False
        assert found["id"] == self.row(tmp_path, row)["id"] != ""

    def test_the_recipe_s_own_system_prompt_is_obeyed(self, tmp_path: Path) -> None:
        said = self.row(tmp_path, training_row(1), prompt="From the recipe.")["messages"]
        assert said[0] == {"content": "From the recipe.", "role": "system"}
        assert [message["role"] for message in said] == ["system", "user", "assistant"]

    def test_a_given_system_prompt_comes_before_the_recipe_s(self, tmp_path: Path) -> None:
        row = training_row(1)
        row["messages"].insert(0, {"role": "system", "content": None})
        said = self.row(tmp_path, row, prompt="Recipe.", system_prompt="Given.")["messages"]
        assert said[0] == {"role": "system", "content": "Given."}
        assert len(said) == 3

    def test_without_a_system_prompt_messages_stay_as_they_are(self, tmp_path: Path) -> None:
        assert self.row(tmp_path, training_row(1))["messages"] == training_row(1)["messages"]

    def test_half_a_character_is_kept_escaped(self, tmp_path: Path) -> None:
        row = training_row(1, note="\ud800")
        assert json.loads(self.row(tmp_path, row)["metadata"]) == {"note": "\ud800"}

    def test_rows_with_an_empty_message_are_left_out_counted_and_never_drawn(
        self, tmp_path: Path
    ) -> None:
        empty = training_row(9)
        empty["messages"][1]["content"] = ""
        write_lines(tmp_path / "a.jsonl", [empty, training_row(1), empty, training_row(2)])
        mixed = mix_files(tmp_path, {"a.jsonl": 2})
        (dataset,) = mixed.datasets
        assert (dataset.rows, dataset.empty, dataset.sampled) == (4, 2, 2)
        assert {row["id"] for row in read_lines(tmp_path / "mix.jsonl")} == {"id-1", "id-2"}


class TestErrors:
    def test_a_missing_dataset_is_told_with_its_line_and_where_it_was_looked_for(
        self, tmp_path: Path
    ) -> None:
        save(tmp_path, 1)
        with pytest.raises(SpecError) as caught:
            mix_files(tmp_path, {"a.jsonl": 1, "b.jsonl": 1, "c.jsonl": 1})
        assert [problem.where.line for problem in caught.value.problems] == [4, 6]
        assert str(tmp_path / "b.jsonl") in str(caught.value)
        assert not (tmp_path / "mix.jsonl").exists()

    def test_relative_paths_start_from_another_folder_if_one_is_given(self, tmp_path: Path) -> None:
        save(tmp_path, 2, "data/a.jsonl")
        mixed = mix_files(tmp_path, {"a.jsonl": 1.0}, input_root=tmp_path / "data")
        assert mixed.rows == 2
        with pytest.raises(SpecError, match="start from --input-root"):
            mix_files(tmp_path, {"a.jsonl": 1.0}, input_root=tmp_path / "other")

    def test_a_recipe_without_datasets_has_nothing_to_mix(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match="names no datasets"):
            mix_files(tmp_path, {})

    def test_a_damaged_line_is_told_and_an_older_mix_stays(self, tmp_path: Path) -> None:
        (tmp_path / "mix.jsonl").write_text("older\n")
        line = json.dumps(training_row(1))
        (tmp_path / "a.jsonl").write_text(f"{line}\n\n{line[:-5]}\n")
        with pytest.raises(StorageError, match=r"a\.jsonl:3:\d+: not JSON"):
            mix_files(tmp_path, {"a.jsonl": 1})
        assert (tmp_path / "mix.jsonl").read_text() == "older\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "a.jsonl",
            "mix.jsonl",
            "recipe.yaml",
        ]

    @pytest.mark.parametrize("messages", [None, [], "hello", ["hello"], [{"content": "x"}]])
    def test_a_row_without_messages_is_told_with_its_line(
        self, tmp_path: Path, messages: Any
    ) -> None:
        write_lines(tmp_path / "a.jsonl", [training_row(1), {"q": 1, "messages": messages}])
        with pytest.raises(StorageError, match=r"a\.jsonl:2: a training row needs 'messages'"):
            mix_files(tmp_path, {"a.jsonl": 1.0})

    def test_a_mix_is_never_written_over_one_of_its_datasets(self, tmp_path: Path) -> None:
        save(tmp_path, 1, "mix.jsonl")
        with pytest.raises(SpecError, match="would be written over this dataset"):
            mix_files(tmp_path, {"mix.jsonl": 1.0})
        assert len(read_lines(tmp_path / "mix.jsonl")) == 1

    def test_a_mix_is_never_written_over_its_recipe(self, tmp_path: Path) -> None:
        save(tmp_path, 1, "a.jsonl")
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text("datasets:\n- path: a.jsonl\n  sampling_size: 1.0\n")
        before = recipe.read_text()
        with pytest.raises(SpecError, match="would be written over this recipe"):
            mix(recipe, tmp_path / "." / "recipe.yaml")
        assert recipe.read_text() == before

    def test_an_output_that_is_a_folder_is_told(self, tmp_path: Path) -> None:
        save(tmp_path, 1)
        (tmp_path / "mix.jsonl").mkdir()
        with pytest.raises(StorageError, match=r"cannot write .*mix\.jsonl"):
            mix_files(tmp_path, {"a.jsonl": 1.0})


def test_every_process_mixes_the_same_bytes(tmp_path: Path) -> None:
    save(tmp_path, 200)
    mix_files(tmp_path, {"a.jsonl": 31})
    here = (tmp_path / "mix.jsonl").read_bytes()
    code = "import sys; from kfp_sdg.instructlab.mixing import mix; mix(*sys.argv[1:])"
    for hash_seed in ("0", "1"):
        output = tmp_path / f"{hash_seed}.jsonl"
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "recipe.yaml"), str(output)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert output.read_bytes() == here


@pytest.mark.parametrize("size", [1.0, 0.5, 6000])
def test_memory_does_not_grow_with_the_datasets(tmp_path: Path, size: int | float) -> None:
    write_lines(tmp_path / "a.jsonl", (training_row(n, note="x" * 4000) for n in range(4000)))
    write_recipe(Recipe().adding("a.jsonl", size), tmp_path / "recipe.yaml")
    mix(tmp_path / "recipe.yaml", tmp_path / "warm.jsonl")  # what is imported stays
    tracemalloc.start()
    try:
        mix(tmp_path / "recipe.yaml", tmp_path / "mix.jsonl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "a.jsonl").stat().st_size > 16_000_000
    assert peak < 1_000_000
