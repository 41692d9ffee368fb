"""Recipes: which datasets go into a mix, and how much of each."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import Position, StorageError
from kfp_sdg.instructlab.mixing.sampling import is_sampling_size, not_a_sampling_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "datasets": {"type": ["array", "null"], "items": {"type": "object"}},
        "metadata": {
            "type": ["object", "null"],
            "properties": {"sys_prompt": {"type": ["string", "null"]}},
            "additionalProperties": False,
        },
        "sys_prompt": {"type": ["string", "null"]},  # where InstructLab's own examples have it
    },
}
_DATASET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "pattern": r"\S"},
        "sampling_size": {},
    },
    "required": ["path", "sampling_size"],
}


@dataclass(frozen=True, slots=True)
class RecipeDataset:
    """One dataset of a recipe.

    Attributes:
        path: Its JSONL file, as the recipe has it.
        sampling_size: How much of it goes into the mix: an int is a count of rows, a float a ratio.
        where: Where the recipe names it.
    """

    path: str
    sampling_size: int | float
    where: Position = field(default=Position("<python>"), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What goes into a mix.

    Attributes:
        datasets: The datasets, in the order of the mix.
        sys_prompt: The system prompt of every row; "" where the rows keep what they have.
        folder: What relative paths start from.
    """

    datasets: tuple[RecipeDataset, ...] = ()
    sys_prompt: str = ""
    folder: Path = Path()

    def file(self, dataset: RecipeDataset) -> Path:
        """Return where a dataset's file is."""
        return self.folder / dataset.path

    def adding(self, path: str, sampling_size: int | float) -> Recipe:
        """Return the recipe with a further dataset."""
        return dataclasses.replace(
            self, datasets=(*self.datasets, RecipeDataset(path, sampling_size))
        )

    def with_sampling_size(self, sampling_size: int | float) -> Recipe:
        """Return the recipe with one sampling size for all its datasets."""
        datasets = (
            dataclasses.replace(dataset, sampling_size=sampling_size) for dataset in self.datasets
        )
        return dataclasses.replace(self, datasets=tuple(datasets))

    def to_yaml(self) -> str:
        """Return the recipe as the text of its file."""
        import yaml

        content = {
            "datasets": [
                {"path": dataset.path, "sampling_size": dataset.sampling_size}
                for dataset in self.datasets
            ],
            "metadata": {"sys_prompt": self.sys_prompt},
        }
        return yaml.safe_dump(content, allow_unicode=True, width=100)


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Args:
        path: Its YAML file. Relative paths of datasets start from the folder that it is in.

    Raises:
        SpecError: There is no such file, or it is no recipe; has every problem with its line.
    """
    from kfp_sdg.spec.check import Checker
    from kfp_sdg.spec.problems import Findings
    from kfp_sdg.spec.yaml_source import read_yaml

    path = Path(path)
    findings = Findings()
    document = read_yaml(path, kind="recipe", findings=findings)
    checker = Checker(document.source, findings)
    checker.check(document.content, _SCHEMA, ())
    datasets = []
    listed = document.content.get("datasets")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        node = ("datasets", index)
        if not isinstance(entry, dict):
            continue
        if not checker.check(entry, _DATASET_SCHEMA, node):
            continue
        size = entry["sampling_size"]
        if not is_sampling_size(size):
            place = document.source.at(*node, "sampling_size")
            if place not in findings.unreadable:  # told already
                findings.errors.append(not_a_sampling_size("sampling_size", size, place))
            continue
        where = document.source.at(*node, "path")
        datasets.append(RecipeDataset(entry["path"], size, where))
    findings.raise_errors()
    metadata = document.content.get("metadata") or {}
    sys_prompt = metadata.get("sys_prompt") or document.content.get("sys_prompt") or ""
    return Recipe(tuple(datasets), sys_prompt, path.parent)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe.

    Args:
        recipe: The recipe; its relative paths have to start from the folder of the file.
        path: The file.

    Raises:
        StorageError: The disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(recipe.to_yaml(), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def default_recipe(name: str, folders: Sequence[Path]) -> Recipe:
    """Return the recipe that a user or a system has installed for every mix.

    Args:
        name: "knowledge" or "skills".
        folders: The data folders of InstructLab, see ``data_folders``; the first that has the
            recipe counts.

    Returns:
        The recipe, its datasets with absolute paths, so that they can be named in a recipe in
        another folder; an empty recipe where none is installed.

    Raises:
        SpecError: The recipe is there and wrong.
    """
    for folder in folders:
        path = folder / "default_data_recipes" / f"{name}.yaml"
        if path.exists():
            recipe = read_recipe(path)
            datasets = tuple(
                dataclasses.replace(dataset, path=os.path.abspath(recipe.file(dataset)))
                for dataset in recipe.datasets
            )
            return dataclasses.replace(recipe, datasets=datasets)
    return Recipe()
