"""A folder of compiled pipelines that is a kustomize base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from kfp_sdg.cluster.manifests.kustomize import CONFIG_FILE, kustomization, kustomize_config
from kfp_sdg.cluster.manifests.resources import pipeline_resources
from kfp_sdg.cluster.manifests.yaml_text import Manifest, yaml_text
from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.text_files import named_by_user, write_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kfp_sdg.compiler.package import CompiledGraph

KUSTOMIZATION_FILE = "kustomization.yaml"
_OURS = "Written by kfp-sdg"
"""How a file begins that may be written anew."""

_BASE_HEADER = f"{_OURS}; change it in an overlay, it is written anew with every pipeline."


def base_files(pipelines: Mapping[str, Sequence[Manifest]]) -> dict[str, str]:
    """Return the files of a base: its pipelines', ``kustomization.yaml``, ``kustomizeconfig.yaml``.

    Args:
        pipelines: The resources of each pipeline by its file's name.
    """
    files = {
        name: yaml_text(resources, header=f"{_OURS}.", sort_keys=True)
        for name, resources in sorted(pipelines.items())
    }
    everything = [resource for resources in pipelines.values() for resource in resources]
    whole = kustomization(sorted(pipelines), configurations=[CONFIG_FILE])
    files[KUSTOMIZATION_FILE] = yaml_text([whole], header=_BASE_HEADER)
    files[CONFIG_FILE] = yaml_text([kustomize_config(everything)], header=_BASE_HEADER)
    return files


@dataclass(frozen=True, slots=True)
class WrittenPipeline:
    """What became of a base.

    Attributes:
        file: The pipeline's file.
        replaced: The name of the version that was in the file before, where it was another one.
    """

    file: Path
    replaced: str | None


def write_to_base(
    folder: Path, compiled: CompiledGraph, *, namespace: str | None = None
) -> WrittenPipeline:
    """Put a compiled pipeline into a base, beside those that are there.

    A pipeline of that name that is there already is replaced: its version has another name when its
    content is another.

    Args:
        folder: The base; made where it is not there.
        compiled: The pipeline.
        namespace: The namespace of its resources; None leaves it to an overlay.

    Raises:
        SpecError: A file in the folder is not kfp-sdg's and would be replaced, or the pipeline is
            called like one of kustomize's own files.
        StorageError: The folder cannot be read or written.
    """
    file = folder / f"{compiled.name}.yaml"
    if file.name in (KUSTOMIZATION_FILE, CONFIG_FILE):
        problem = Problem(
            f"a pipeline cannot be called {compiled.name!r}: kustomize's own file has that name",
            Position(str(file)),
            suggestion="give it another name",
            code="reserved-name",
        )
        raise SpecError([problem])
    with named_by_user("read", folder):
        _refuse_foreign([file, folder / KUSTOMIZATION_FILE, folder / CONFIG_FILE])
        pipelines: dict[str, Sequence[Manifest]] = dict(_pipelines_in(folder))
    before = _version_name(pipelines.get(file.name, ()))
    pipelines[file.name] = pipeline_resources(compiled, namespace=namespace)
    write_files(folder, base_files(pipelines))
    changed = before != _version_name(pipelines[file.name])
    return WrittenPipeline(file, before if changed else None)


def _version_name(resources: Iterable[Manifest]) -> str | None:
    names = [r["metadata"]["name"] for r in resources if r["kind"] == "PipelineVersion"]
    return names[0] if names else None


def _pipelines_in(folder: Path) -> Iterable[tuple[str, list[Manifest]]]:
    """Yield the pipelines of a base by their files' names."""
    for file in sorted(folder.glob("*.yaml")):
        if file.name in (KUSTOMIZATION_FILE, CONFIG_FILE) or not _is_ours(file):
            continue
        with file.open(encoding="utf-8") as stream:
            yield file.name, list(yaml.load_all(stream, Loader=yaml.CSafeLoader))


def _refuse_foreign(files: Iterable[Path]) -> None:
    problems = [
        Problem(
            "this file is not kfp-sdg's and would be replaced",
            Position(str(file)),
            suggestion="choose a folder for compiled pipelines alone, and an overlay for the rest",
            code="foreign-file",
        )
        for file in files
        if file.exists() and not _is_ours(file)
    ]
    if problems:
        raise SpecError(problems)


def _is_ours(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().startswith(f"# {_OURS}")
