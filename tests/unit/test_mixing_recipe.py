"""Recipes: what is read and written, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.data_folders import data_folders
from kfp_sdg.instructlab.mixing import (
    Recipe,
    RecipeDataset,
    default_recipe,
    read_recipe,
    write_recipe,
)

GOOD = """\
datasets:
  - path: a.jsonl
    sampling_size: 1
  - path: /there/b.jsonl
    sampling_size: 1.0
metadata:
  sys_prompt: Be kind.
"""


def save(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_recipe(save(folder, text))
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_recipe_is_read_with_counts_and_ratios_kept_apart(tmp_path: Path) -> None:
    recipe = read_recipe(save(tmp_path, GOOD))
    sizes = [dataset.sampling_size for dataset in recipe.datasets]
    assert sizes == [1, 1.0]
    assert [type(size) for size in sizes] == [int, float]
    assert recipe.sys_prompt == "Be kind."
    files = [recipe.file(dataset) for dataset in recipe.datasets]
    assert files == [tmp_path / "a.jsonl", Path("/there/b.jsonl")]


@pytest.mark.parametrize(
    ("lines", "prompt"),
    [
        ("sys_prompt: Be brief.", "Be brief."),
        ("sys_prompt: Be brief.\nmetadata: {sys_prompt: Be kind.}", "Be kind."),
        ("sys_prompt:", ""),
    ],
)
def test_the_system_prompt_may_stand_where_instructlabs_examples_have_it(tmp_path, lines, prompt):
    file = tmp_path / "recipe.yaml"
    file.write_text(f"datasets: [{{path: a.jsonl, sampling_size: 1.0}}]\n{lines}\n")
    assert read_recipe(file).sys_prompt == prompt


def test_a_recipe_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    recipe = Recipe(sys_prompt="é: «x»", folder=tmp_path).adding("a/b.jsonl", 3).adding("c", 0.5)
    write_recipe(recipe, tmp_path / "recipe.yaml")
    assert read_recipe(tmp_path / "recipe.yaml") == recipe
    content = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    assert content == {
        "datasets": [
            {"path": "a/b.jsonl", "sampling_size": 3},
            {"path": "c", "sampling_size": 0.5},
        ],
        "metadata": {"sys_prompt": "é: «x»"},
    }


@pytest.mark.parametrize("text", ["datasets: []\n", "datasets:\n", "metadata: {}\n"])
def test_a_recipe_may_name_no_datasets(tmp_path: Path, text: str) -> None:
    assert read_recipe(save(tmp_path, text)).datasets == ()


def test_all_mistakes_are_told_with_line_and_column(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "datasets:\n"
        "  - path: a.jsonl\n"
        "  - path: b.jsonl\n"
        '    sampling_size: "30"\n'
        "  - {path: c.jsonl, sampling_size: -1}\n"
        "  - {path: d.jsonl, sampling_size: true}\n"
        "  - {path: e.jsonl, sampling_size: 1, sampling: 2}\n"
        "  - [f.jsonl, 1]\n"
        "metdata: {}\n",
    )
    places = [problem.split(": ", 1)[0] for problem in found]
    assert places == [
        "recipe.yaml:2:5",
        "recipe.yaml:4:5",
        "recipe.yaml:5:21",
        "recipe.yaml:6:21",
        "recipe.yaml:7:39",
        "recipe.yaml:8:5",
        "recipe.yaml:9:1",
    ]
    assert "'sampling_size' is missing" in found[0]
    assert "expected a count of rows such as 30" in found[1]
    assert "a number is written without quotes: 30" in found[1]
    assert "did you mean 'metadata'?" in found[-1]


def test_a_number_that_yaml_cannot_say_is_told_once(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "datasets:\n  - {path: a.jsonl, sampling_size: .inf}\n")
    assert found.startswith("recipe.yaml:2:")


def test_a_missing_recipe_and_one_that_is_no_mapping_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such recipe file"):
        read_recipe(tmp_path / "gone.yaml")
    assert "this recipe is a list" in problems(tmp_path, "- a\n")[0]


class TestDefaultRecipes:
    def test_relative_paths_start_from_the_default_recipe(self, tmp_path: Path) -> None:
        folder = tmp_path / "site" / "default_data_recipes"
        folder.mkdir(parents=True)
        (folder / "skills.yaml").write_text(
            "datasets:\n  - {path: ../sets/s.jsonl, sampling_size: 0.5}\n", encoding="utf-8"
        )
        recipe = default_recipe("skills", [tmp_path / "user", tmp_path / "site"])
        path = str(tmp_path / "site" / "sets" / "s.jsonl")
        assert recipe.datasets == (RecipeDataset(path, 0.5),)
        assert recipe.datasets[0].where.file == str(folder / "skills.yaml")

    def test_the_first_folder_that_has_one_counts(self, tmp_path: Path) -> None:
        for name in ("user", "site"):
            folder = tmp_path / name / "default_data_recipes"
            folder.mkdir(parents=True)
            (folder / "knowledge.yaml").write_text(f"metadata: {{sys_prompt: {name}}}\n")
        folders = [tmp_path / "none", tmp_path / "user", tmp_path / "site"]
        assert default_recipe("knowledge", folders).sys_prompt == "user"
        assert default_recipe("skills", folders) == Recipe()

    def test_the_folders_are_those_of_xdg(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path}/a:{tmp_path}/b")
        names = ("home", "a", "b")
        assert data_folders() == tuple(tmp_path / n / "instructlab" / "sdg" for n in names)
