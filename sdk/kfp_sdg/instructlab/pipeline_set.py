"""The pipelines of a taxonomy's kinds, found by one name: an alias, or a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.instructlab.data_folders import data_folders
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.spec.problems import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp_sdg.spec import PipelineSpec

FILES = {
    LeafKind.KNOWLEDGE: "knowledge.yaml",
    LeafKind.FREEFORM: "freeform_skills.yaml",
    LeafKind.GROUNDED: "grounded_skills.yaml",
}
"""The file of each kind's pipeline, named as InstructLab names them."""

ALIASES = ("simple", "full", "llama")
"""The sets that ship."""

_PIPELINES = "pipelines"
_EVALUATION = "instructlab/eval/mmlu_bench"


@dataclass(frozen=True, slots=True)
class PipelineSet:
    """The pipelines of a taxonomy's kinds.

    Attributes:
        name: What they were looked for by.
        folder: Where they were found.
        knowledge: The pipeline of knowledge; None where the folder has none.
        freeform: That of skills without a context.
        grounded: That of skills with one.
    """

    name: str
    folder: Path
    knowledge: PipelineSpec | None = None
    freeform: PipelineSpec | None = None
    grounded: PipelineSpec | None = None

    def of(self, kind: LeafKind) -> PipelineSpec:
        """Return the pipeline of a kind.

        Raises:
            SpecError: The folder has none.
        """
        return self.all_of([kind])[kind]

    def all_of(self, kinds: Iterable[LeafKind]) -> dict[LeafKind, PipelineSpec]:
        """Return the pipelines of some kinds, those that leaves are of.

        Raises:
            SpecError: Some are missing; a problem for each.
        """
        known = {
            LeafKind.KNOWLEDGE: self.knowledge,
            LeafKind.FREEFORM: self.freeform,
            LeafKind.GROUNDED: self.grounded,
        }
        wanted = {kind: known[kind] for kind in kinds}
        problems = [
            Problem(
                f"there is no {FILES[kind]}, and the taxonomy has leaves of the kind {kind}",
                Position(str(self.folder)),
                expected=f"a pipeline in {self.folder / FILES[kind]}",
                code="missing-file",
            )
            for kind, spec in wanted.items()
            if spec is None
        ]
        if problems:
            raise SpecError(problems)
        return {kind: spec for kind, spec in wanted.items() if spec is not None}

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is doubtful in the pipelines."""
        specs = (self.knowledge, self.freeform, self.grounded)
        return tuple(warning for spec in specs if spec for warning in spec.warnings)

    @property
    def auxiliary_instructions(self) -> Mapping[str, tuple[str, ...]]:
        """What the mixing of training data takes from the knowledge pipeline."""
        return self.knowledge.auxiliary_instructions if self.knowledge else {}


def find_pipelines(name: str, *, config_roots: Iterable[str | Path] = ()) -> PipelineSet:
    """Find the pipelines of a taxonomy's kinds.

    Args:
        name: A folder; or an alias. An alias is looked for in the folders
            ``instructlab/sdg/pipelines`` of the user's and the system's data (``XDG_DATA_HOME``,
            ``XDG_DATA_DIRS``), then among the shipped sets, then as a folder. So what is installed
            for a machine takes the place of a shipped set of the same name.
        config_roots: Further folders in which config files are looked for.

    Returns:
        The pipelines that are there, each of them checked; at least one.

    Raises:
        SpecError: There is no such set, no pipeline in it, or pipelines in it are wrong: the
            problems of all of them.
    """
    from kfp_sdg.blocks.catalog import custom_types
    from kfp_sdg.engine import check_settings
    from kfp_sdg.spec import load_pipeline

    folder = _folder(name)
    specs: dict[LeafKind, PipelineSpec] = {}
    problems: list[Problem] = []
    for kind, file in FILES.items():
        if not (folder / file).exists():
            continue
        try:
            specs[kind] = load_pipeline(
                folder / file, config_roots=config_roots, custom_types=custom_types()
            )
            check_settings(specs[kind])
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    if not specs:
        raise SpecError(
            Problem(
                "there are no pipelines in this folder",
                Position(str(folder)),
                expected=f"the files {', '.join(FILES.values())}, those that the taxonomy needs",
                code="missing-file",
            )
        )
    return PipelineSet(
        name,
        folder,
        specs.get(LeafKind.KNOWLEDGE),
        specs.get(LeafKind.FREEFORM),
        specs.get(LeafKind.GROUNDED),
    )


def evaluation_pipeline() -> PipelineSpec:
    """Return the pipeline that writes multiple-choice questions about documents."""
    from kfp_sdg.pipelines import shipped
    from kfp_sdg.spec import load_pipeline

    return load_pipeline(shipped(_EVALUATION))


def _folder(name: str) -> Path:
    """Return the folder that a name stands for.

    Raises:
        SpecError: It stands for none.
    """
    path = Path(name).expanduser()
    if not _is_alias(name):
        if path.is_dir():
            return path
        raise SpecError(_no_folder(name, path))
    for folder in _installed():
        if (folder / name).is_dir():
            return folder / name
    if name in ALIASES:
        return _shipped() / name
    if path.is_dir():
        return path
    raise SpecError(_unknown(name))


def _is_alias(name: str) -> bool:
    """Tell whether a name may be an alias: it says nothing of where the folder is."""
    separators = {os.sep, os.altsep or os.sep}
    return name not in ("", ".", "..", "~") and separators.isdisjoint(name)


def _installed() -> list[Path]:
    """Return the folders in which sets may be installed."""
    return [folder / _PIPELINES for folder in data_folders()]


def _shipped() -> Path:
    from kfp_sdg.pipelines import SHIPPED_FOLDER

    folder: Path = SHIPPED_FOLDER / "instructlab"
    return folder


def _no_folder(name: str, path: Path) -> Problem:
    is_file = path.is_file()
    return Problem(
        "this is a file" if is_file else "there is no such folder",
        Position(name),
        expected=f"a folder with {', '.join(FILES.values())}, or one of {', '.join(ALIASES)}",
        suggestion=f"the folder is {path.parent}"
        if is_file and path.name in FILES.values()
        else None,
        code="missing-file",
    )


def _unknown(name: str) -> Problem:
    """Return the problem of an alias that is nowhere: what there is, and where was looked."""
    installed = sorted(
        {entry.name for folder in _installed() if folder.is_dir() for entry in folder.iterdir()
         if entry.is_dir()}
    )  # fmt: skip
    names = list(dict.fromkeys([*ALIASES, *installed]))
    places = [*map(str, _installed()), "the sets that ship", str(Path.cwd())]
    return Problem(
        f"there are no pipelines of this name; looked in {', '.join(places)}",
        Position(name),
        expected=f"{one_of(names)}, or a folder",
        suggestion=did_you_mean(name, names),
        code="missing-file",
    )
