"""The files of leaves, ``node_datasets_<suffix>``, and the recipes that name them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.data_folders import data_folders
from kfp_sdg.instructlab.mixing.knowledge import KnowledgeRows
from kfp_sdg.instructlab.mixing.recipe import Recipe, default_recipe
from kfp_sdg.instructlab.mixing.skills import skill_rows
from kfp_sdg.instructlab.mixing.upsampling import knowledge_size, rows_of_recipe
from kfp_sdg.storage.json_lines import write_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfp_sdg.instructlab.mixing.pairs import Pair
    from kfp_sdg.instructlab.mixing.settings import TrainingSettings

KNOWLEDGE = "knowledge"
SKILLS = "skills"
KINDS = (KNOWLEDGE, SKILLS)
"""The mixes, by the word that their recipes and files begin with."""


class NodeFiles:
    """Writes the files of one leaf after the other.

    Attributes:
        recipes: What has been written so far, after what the default recipes bring, by kind.
    """

    def __init__(self, folder: Path, date_suffix: str, settings: TrainingSettings) -> None:
        """Read the default recipes.

        Args:
            folder: The output folder.
            date_suffix: What names in it end in.
            settings: What a user chose.

        Raises:
            SpecError: A default recipe is wrong, or a dataset of it is not there.
        """
        chosen = settings.recipe_folders
        folders = data_folders() if chosen is None else chosen
        installed = {kind: default_recipe(kind, folders) for kind in KINDS}
        if settings.precomputed_sampling_size is not None:
            size = settings.precomputed_sampling_size
            installed[SKILLS] = installed[SKILLS].with_sampling_size(size)
        self.recipes = {
            kind: Recipe(recipe.datasets, settings.system_prompt, folder)
            for kind, recipe in installed.items()
        }
        self._precomputed = rows_of_recipe(installed[SKILLS])
        self._folder = folder
        self._subfolder = f"node_datasets_{date_suffix}"
        self._settings = settings

    def write(self, leaf: str, pairs: Sequence[Pair]) -> dict[str, int]:
        """Write the files of a leaf.

        Args:
            leaf: Its name.
            pairs: What its generated rows teach.

        Returns:
            How many rows each file has; a leaf without pairs has no files.

        Raises:
            StorageError: The leaf's name cannot be that of a file, or the disk refuses.
        """
        if Path(leaf).name != leaf:
            raise StorageError(f"the leaf name {leaf!r} cannot be the name of a file")
        settings = self._settings
        files = {}
        knowledge = [pair for pair in pairs if pair.is_knowledge]
        if knowledge:
            rows = KnowledgeRows(leaf, knowledge, settings.auxiliary_instructions, settings.seed)
            reading, answering = f"{leaf}_p07.jsonl", f"{leaf}_p10.jsonl"
            files[reading] = self._write(reading, rows.phase_07())
            self._name(KNOWLEDGE, reading, 1.0)
            files[answering] = self._write(answering, rows.phase_10())
            self._name(SKILLS, answering, knowledge_size(files[answering], self._precomputed))
        skills = [pair for pair in pairs if not pair.is_knowledge]
        if skills:
            name = f"{leaf}.jsonl"
            files[name] = self._write(name, skill_rows(leaf, skills, settings.system_prompt))
            self._name(SKILLS, name, settings.skills_sampling_size)
        return files

    def _write(self, name: str, rows: Iterator[dict[str, Any]]) -> int:
        return write_json_lines(self._folder / self._subfolder / name, rows)

    def _name(self, kind: str, name: str, sampling_size: int | float) -> None:
        """Name a file in a recipe."""
        path = f"{self._subfolder}/{name}"
        self.recipes[kind] = self.recipes[kind].adding(path, sampling_size)
