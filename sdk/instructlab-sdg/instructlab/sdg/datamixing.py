"""Recipes and mixes, with InstructLab's classes."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from instructlab.sdg._failures import as_generate_exception
from kfp_sdg.instructlab.mixing import Recipe as KfpRecipe
from kfp_sdg.instructlab.mixing import TrainingSettings, mix
from kfp_sdg.instructlab.mixing.node_files import KINDS, NodeFiles
from kfp_sdg.instructlab.mixing.pairs import Pair, pair_of
from kfp_sdg.instructlab.mixing.recipe import RecipeDataset, read_recipe, write_recipe
from kfp_sdg.instructlab.mixing.settings import SKILLS_SAMPLING_SIZE
from kfp_sdg.instructlab.model import LeafKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

logger = logging.getLogger(__name__)

ALLOWED_COLS = ["id", "messages", "metadata", "unmask"]


class DatasetListing(TypedDict):
    """A dataset of a recipe: its file, and how much of it goes into the mix."""

    sampling_size: float
    path: str


class Recipe:
    """Which datasets go into a mix, and how much of each.

    Attributes:
        recipe_path: The file it was read from; "" for a new one. Relative paths of datasets start
            from its folder.
        sys_prompt: What the system says in every row of the mix.
        datasets: The datasets.
        dataset_added: Whether there are further ones than those of the file.
    """

    def __init__(
        self, recipe_path: str | os.PathLike[str] | None = None, sys_prompt: str | None = ""
    ) -> None:
        """Read a recipe, or begin a new one.

        Raises:
            GenerateException: There is no such file, or it is no recipe.
        """
        self.recipe_path = recipe_path or ""
        self.sys_prompt = sys_prompt
        self.datasets: list[DatasetListing] = []
        self.dataset_added = False
        if recipe_path is not None:
            with as_generate_exception():
                read = read_recipe(recipe_path)
            self.datasets = [
                {"path": dataset.path, "sampling_size": dataset.sampling_size}
                for dataset in read.datasets
            ]

    def add_dataset(self, path: str | os.PathLike[str], sampling_size: float) -> None:
        """Add a dataset.

        Args:
            path: Its JSONL file.
            sampling_size: An int is a count of rows, a float a ratio.
        """
        self.datasets.append({"path": os.fspath(path), "sampling_size": sampling_size})
        self.dataset_added = True

    def save_recipe(self, output_path: str | os.PathLike[str]) -> None:
        """Write the recipe; from now on it is the one of that file.

        Raises:
            GenerateException: The disk refuses.
        """
        with as_generate_exception():
            write_recipe(self._recipe(lambda path: path), Path(output_path))
        self.recipe_path = output_path

    def save_mixed_dataset(
        self, output_path: str | os.PathLike[str], num_proc: int | None = None
    ) -> None:
        """Mix the datasets.

        Args:
            output_path: The file for the rows.
            num_proc: No effect.

        Raises:
            GenerateException: A dataset is not there or damaged, or there is none.
        """
        folder = Path(self.recipe_path).parent if self.recipe_path else Path()
        with as_generate_exception(), tempfile.TemporaryDirectory() as temporary:
            whole = Path(temporary) / "recipe.yaml"
            write_recipe(self._recipe(lambda path: os.path.abspath(folder / path)), whole)
            mix(whole, output_path, system_prompt=self.sys_prompt)

    def _recipe(self, place: Any) -> KfpRecipe:
        datasets = (
            RecipeDataset(place(dataset["path"]), dataset["sampling_size"])
            for dataset in self.datasets
        )
        return KfpRecipe(tuple(datasets), self.sys_prompt or "")


class DataMixer:
    """Makes training rows of generated ones, leaf by leaf, and the recipes that mix them."""

    NUM_SYNTH_SKILLS: ClassVar[int] = SKILLS_SAMPLING_SIZE

    def __init__(
        self,
        data_dirs: Sequence[str | os.PathLike[str]],
        output_dir: str | os.PathLike[str],
        date_suffix: str,
        sys_prompt: str,
        num_procs: int | None,
        auxiliary_inst: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Read the default recipes.

        Args:
            data_dirs: Where ``default_data_recipes`` is looked for.
            output_dir: Where everything is written.
            date_suffix: What names end in.
            sys_prompt: What the system says in every row.
            num_procs: No effect.
            auxiliary_inst: Instructions for rewritten documents by their dataset type.

        Raises:
            GenerateException: A default recipe is wrong.
        """
        self.output_dir = Path(output_dir)
        self.date_suffix = date_suffix
        self.sys_prompt = sys_prompt
        self.auxiliary_inst = auxiliary_inst
        settings = TrainingSettings(
            system_prompt=sys_prompt,
            auxiliary_instructions=auxiliary_inst or {},
            skills_sampling_size=self.NUM_SYNTH_SKILLS,
            recipe_folders=[Path(folder) for folder in data_dirs],
        )
        with as_generate_exception():
            self._nodes = NodeFiles(self.output_dir, date_suffix, settings)

    def collect(
        self,
        leaf_node_path: str,
        new_generated_data: Iterable[Mapping[str, Any]],
        is_knowledge: bool,
        use_legacy_pretraining_format: bool | None = None,
    ) -> None:
        """Write the training rows of a leaf.

        Args:
            leaf_node_path: The leaf's name.
            new_generated_data: Its generated rows.
            is_knowledge: Whether they are knowledge, where a row does not say.
            use_legacy_pretraining_format: No effect.

        Raises:
            GenerateException: The disk refuses.
        """
        kind = LeafKind.KNOWLEDGE if is_knowledge else LeafKind.FREEFORM
        rows = ({**row, "leaf_node_type": row.get("leaf_node_type") or kind.value}
                for row in new_generated_data)  # fmt: skip
        found = [pair_of(row) for row in rows]
        pairs = [pair for pair in found if isinstance(pair, Pair)]
        for rejection in found:
            if not isinstance(rejection, Pair):
                logger.warning("Leaf %s: %s: %s", leaf_node_path, rejection.message, rejection.row)
        with as_generate_exception():
            self._nodes.write(leaf_node_path, pairs)

    def write_recipes(self) -> None:
        """Write the recipes.

        Raises:
            GenerateException: The disk refuses.
        """
        with as_generate_exception():
            for kind in KINDS:
                write_recipe(self._nodes.recipes[kind], self._file(kind, "recipe", "yaml"))

    def generate(self) -> None:
        """Write the recipes and mix what they name.

        Raises:
            GenerateException: A dataset is not there, or the disk refuses.
        """
        self.write_recipes()
        with as_generate_exception():
            for kind in KINDS:
                if self._nodes.recipes[kind].datasets:
                    mixed = self._file(kind, "train_msgs", "jsonl")
                    recipe = self._file(kind, "recipe", "yaml")
                    mix(recipe, mixed, system_prompt=self.sys_prompt)

    def _file(self, kind: str, what: str, ending: str) -> Path:
        return self.output_dir / f"{kind}_{what}_{self.date_suffix}.{ending}"
