"""From what was typed as PIPELINE to a loaded spec."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kfp_sdg.errors import BlockError, Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.instructlab.pipeline_set import PipelineSet
    from kfp_sdg.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class PipelineSource:
    """Where pipelines come from besides their own file.

    Attributes:
        config_roots: Further folders for the files that pipelines name.
        plugins: Modules that register custom blocks and prompts.
    """

    config_roots: Sequence[Path] = ()
    plugins: Sequence[str] = ()

    def load(self, pipeline: str) -> PipelineSpec:
        """Load a pipeline, plugins first.

        Args:
            pipeline: A path, or the name of a shipped pipeline.

        Raises:
            SpecError: There is no such pipeline, or it has problems.
            typer.BadParameter: A plugin cannot be imported.
        """
        from kfp_sdg.blocks.catalog import custom_types
        from kfp_sdg.engine import check_settings
        from kfp_sdg.spec import load_pipeline

        self.load_plugins()
        spec = load_pipeline(
            find_pipeline(pipeline), config_roots=self.config_roots, custom_types=custom_types()
        )
        check_settings(spec)
        return spec

    def load_set(self, name: str) -> PipelineSet:
        """Load the pipelines of a taxonomy's kinds, plugins first.

        Args:
            name: A folder, or the name of a shipped set.

        Raises:
            SpecError: There are no pipelines, or they have problems.
            typer.BadParameter: A plugin cannot be imported.
        """
        from kfp_sdg.instructlab.pipeline_set import find_pipelines

        self.load_plugins()
        return find_pipelines(_shipped_sets().get(name, name), config_roots=self.config_roots)

    def load_plugins(self) -> None:
        """Import the plugins; modules in the current folder are found, as by ``python -m``.

        Raises:
            typer.BadParameter: A plugin cannot be imported.
        """
        from kfp_sdg.blocks.catalog import load_plugins

        if self.plugins and "" not in sys.path:
            sys.path.insert(0, "")
        try:
            load_plugins(self.plugins)
        except BlockError as error:
            raise typer.BadParameter(error.message, param_hint="--plugin") from error


def is_set(pipeline: str) -> bool:
    """Tell whether what was typed as PIPELINE is a folder or a shipped set of pipelines."""
    from kfp_sdg.instructlab.pipeline_set import ALIASES
    from kfp_sdg.pipelines import shipped_names

    path = Path(pipeline)
    if path.is_file() or pipeline in shipped_names():
        return False
    return path.is_dir() or pipeline in ALIASES or pipeline in _shipped_sets()


def find_pipeline(pipeline: str) -> Path:
    """Return the file of a pipeline; a file of one's own comes before a shipped one.

    Raises:
        SpecError: It is neither a file nor a shipped pipeline.
    """
    from kfp_sdg.pipelines import shipped, shipped_names

    path = Path(pipeline)
    if path.is_file():
        return path
    if pipeline in shipped_names():
        found: Path = shipped(pipeline)
        return found
    if path.is_dir():
        problem = Problem(
            "this is a folder",
            Position(pipeline),
            expected="a pipeline's YAML file",
            code="not-a-file",
        )
    else:
        problem = _not_found(pipeline, shipped_names())
    raise SpecError(problem)


def _shipped_sets() -> dict[str, str]:
    """Return the folders of the shipped sets by the names that their pipelines begin with."""
    from kfp_sdg.instructlab.pipeline_set import ALIASES
    from kfp_sdg.pipelines import SHIPPED_FOLDER

    folder = SHIPPED_FOLDER / "instructlab"
    return {f"instructlab/{alias}": str(folder / alias) for alias in ALIASES}


def _not_found(pipeline: str, shipped_names: Sequence[str]) -> Problem:
    """Return the problem of a pipeline that is nowhere."""
    from kfp_sdg.spec.problems import did_you_mean

    expected = "a YAML file"
    if Path(pipeline).suffix not in (".yaml", ".yml"):
        expected += f", or one of {', '.join(shipped_names)}"
    files = [str(path) for path in Path(pipeline).parent.glob("*.y*ml")]
    return Problem(
        "there is no such file, and no shipped pipeline of that name",
        Position(pipeline),
        expected=expected,
        suggestion=did_you_mean(pipeline, [*files, *shipped_names]),
        code="missing-file",
    )
