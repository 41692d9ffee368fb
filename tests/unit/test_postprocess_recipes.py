"""Post-processing: the recipes of an installation are mixed in, and knowledge is upsampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.mixing.upsampling import knowledge_size
from kfp_sdg.instructlab.postprocess import write_mixes
from training_files import BIRDS, SUFFIX, knowledge, process, training_row, write_lines


class TestDefaultRecipes:
    def install(self, folder: Path, rows: int, size: int | float) -> Path:
        recipes = folder / "site" / "default_data_recipes"
        write_lines(recipes / "sets" / "skills.jsonl", [training_row(n) for n in range(rows)])
        (recipes / "skills.yaml").write_text(
            f"datasets:\n  - {{path: sets/skills.jsonl, sampling_size: {size}}}\n"
        )
        return folder / "site"

    def skills(self, folder: Path, rows: int, size: int | float) -> list[dict[str, Any]]:
        site = self.install(folder, rows, size)
        done = process(folder, {BIRDS: [knowledge(0)]}, recipe_folders=[site])
        datasets: list[dict[str, Any]] = yaml.safe_load(done.recipes["skills"].read_text())[
            "datasets"
        ]
        return datasets

    def test_a_default_recipe_with_a_relative_path_is_mixed_in(self, tmp_path: Path) -> None:
        assert self.skills(tmp_path, 10, 0.5)[0]["sampling_size"] == 0.5
        mixes = write_mixes(tmp_path, SUFFIX)
        assert [(d.rows, d.sampled) for d in mixes["skills"].datasets] == [(10, 5), (2, 2)]

    def test_the_written_recipe_works_from_any_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        site = self.install(Path(), 10, 1.0)
        process(Path(), {BIRDS: [knowledge(0)]}, recipe_folders=[site])
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        assert write_mixes("..", SUFFIX)["skills"].rows == 12

    @pytest.mark.parametrize(
        ("rows", "size", "expected"),
        [(66, 1.0, 1.0), (67, 1.0, 2), (1000, 1.0, 30), (1000, 0.5, 15), (10, 500, 15)],
    )
    def test_knowledge_below_three_percent_of_the_default_skills_is_upsampled(
        self, tmp_path: Path, rows: int, size: int | float, expected: int | float
    ) -> None:
        # a leaf of two rows
        assert self.skills(tmp_path, rows, size)[1]["sampling_size"] == expected

    def test_three_percent_are_enough(self) -> None:
        assert [knowledge_size(rows, 100) for rows in (2, 3, 4)] == [3, 1.0, 1.0]
        assert isinstance(knowledge_size(3, 100), float)

    def test_how_much_of_the_default_skills_is_mixed_can_be_chosen(self, tmp_path: Path) -> None:
        site = self.install(tmp_path, 1000, 1.0)
        leaves = {BIRDS: [knowledge(0)]}
        done = process(tmp_path, leaves, recipe_folders=[site], precomputed_sampling_size=0.1)
        recipe = yaml.safe_load(done.recipes["skills"].read_text())
        assert [entry["sampling_size"] for entry in recipe["datasets"]] == [0.1, 3]
        assert write_mixes(tmp_path, SUFFIX)["skills"].rows == 103

    def test_a_default_dataset_that_is_missing_is_told_before_anything_is_written(
        self, tmp_path: Path
    ) -> None:
        site = self.install(tmp_path, 1, 1.0)
        (site / "default_data_recipes" / "sets" / "skills.jsonl").unlink()
        with pytest.raises(SpecError, match=r"skills\.yaml:2:6: there is no such dataset: .*sets"):
            process(tmp_path, {BIRDS: [knowledge(0)]}, recipe_folders=[site])
        assert not (tmp_path / f"train_{SUFFIX}.jsonl").exists()
