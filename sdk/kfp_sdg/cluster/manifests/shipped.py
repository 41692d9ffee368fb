"""Write every manifest that is made by code: ``python -m kfp_sdg.cluster.manifests.shipped DIR``.

``make manifests`` calls it for ``manifests``; a test holds what is there fresh.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kfp_sdg import __version__
from kfp_sdg.cluster.images import image_set, read_lock
from kfp_sdg.cluster.manifests.base import base_files
from kfp_sdg.cluster.manifests.disconnected import (
    REGISTRY,
    digest_mirror_set,
    images_component,
    images_of_a_cluster,
    tag_mirror_set,
)
from kfp_sdg.cluster.manifests.kustomize import kustomization, tags_component
from kfp_sdg.cluster.manifests.resources import pipeline_resources
from kfp_sdg.cluster.manifests.yaml_text import Manifest, yaml_text
from kfp_sdg.cluster.serving.openshift import runtime_template
from kfp_sdg.cluster.serving.shipped import shipped_teacher_manifests
from kfp_sdg.compiler.shipped import compiled_names, compiled_pipeline, source_of
from kfp_sdg.images import LOCK_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCES = f"https://github.com/kfp-sdg/kfp-sdg/blob/v{__version__}/pipelines"
_FOLDER = PurePosixPath("pipelines")
_WRITTEN_WHOLE = (_FOLDER, PurePosixPath("teacher"))
_HEADER = "Written by make manifests."
_TAGS_HEADER = f"""\
{_HEADER} For KFP 2.17 and newer: tags, by which the dashboard's lists can be filtered.
Older ones refuse the field."""
_IMAGES_HEADER = f"""\
{_HEADER} Every image of images/images.lock from a registry of your own: write its
name for {REGISTRY}. Ours have a digest once they are published and locked."""

_CHANGES_WITH_THE_SDK = re.compile(r"sdkVersion: \S+|(?<=-)[0-9a-f]{10}(?=$|\n|')")
"""KFP's own version, which is in a package, and the hashes of packages in the names of versions."""


def shipped_manifests() -> dict[PurePosixPath, str]:
    """Return every file that is made by code, by its path in ``manifests``."""
    return {
        **_pipeline_files(),
        **_disconnected_files(),
        **_openshift_files(),
        **shipped_teacher_manifests(),
    }


def stale_manifests(folder: Path, made: Mapping[PurePosixPath, str]) -> list[PurePosixPath]:
    """Return the files that are not what the code makes, whatever KFP SDK wrote them.

    Files in the folders that are written whole, and that the code does not make, are among them.

    Args:
        folder: The folder ``manifests``.
        made: ``shipped_manifests()``.
    """
    stale = [path for path, text in made.items() if not _same(folder / path, text)]
    return stale + [path for path in _written_whole(folder) if path not in made]


def write_manifests(folder: Path) -> list[PurePosixPath]:
    """Write the files that are stale, remove those that are no longer made, and return both."""
    made = shipped_manifests()
    stale = stale_manifests(folder, made)
    for path in stale:
        file = folder / path
        if path not in made:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made[path], encoding="utf-8")
    return stale


def _pipeline_files() -> dict[PurePosixPath, str]:
    """Return ``pipelines/``: a base for each folder of shipped pipelines, and one of all."""
    bases: dict[str, dict[str, tuple[Manifest, Manifest]]] = {}
    for name in compiled_names():
        compiled = compiled_pipeline(name)
        source = f"{_SOURCES}/{source_of(name)}"
        resources = pipeline_resources(compiled, code_source_url=source)
        bases.setdefault(name.partition("/")[0], {})[f"{compiled.name}.yaml"] = resources
    files = {
        _FOLDER / base / name: text
        for base, pipelines in bases.items()
        for name, text in base_files(pipelines).items()
    }
    files[_FOLDER / "kustomization.yaml"] = yaml_text(
        [kustomization(sorted(bases))], header=_HEADER
    )
    tags = tags_component({"kfp-sdg": f"v{__version__}"})
    files[_FOLDER / "tags/kustomization.yaml"] = yaml_text([tags], header=_TAGS_HEADER)
    return files


def _disconnected_files() -> dict[PurePosixPath, str]:
    """Return what names every image: for kustomize, for oc-mirror, for OpenShift's nodes."""
    folder = PurePosixPath("overlays/disconnected")
    lock = images_of_a_cluster(read_lock(LOCK_FILE))
    component, by_digest, by_tag = (
        images_component(lock),
        digest_mirror_set(lock),
        tag_mirror_set(lock),
    )
    mirror = folder / "mirror"
    return {
        folder / "images/kustomization.yaml": yaml_text([component], header=_IMAGES_HEADER),
        mirror / "imageset-config.yaml": f"# {_HEADER}\n{image_set(lock)}",
        mirror / "image-digest-mirror-set.yaml": yaml_text([by_digest], header=_HEADER),
        mirror / "image-tag-mirror-set.yaml": yaml_text([by_tag], header=_HEADER),
    }


def _openshift_files() -> dict[PurePosixPath, str]:
    """Return by what OpenShift AI's dashboard offers the teachers' runtimes for any model."""
    path = PurePosixPath("overlays/openshift-ai/platform/runtime-templates.yaml")
    templates = [runtime_template(gpu=True), runtime_template(gpu=False)]
    return {path: yaml_text(templates, header=_HEADER)}


def _written_whole(folder: Path) -> list[PurePosixPath]:
    files = (file for root in _WRITTEN_WHOLE for file in sorted((folder / root).rglob("*.yaml")))
    return [PurePosixPath(file.relative_to(folder)) for file in files]


def _same(file: Path, text: str) -> bool:
    if not file.exists():
        return False
    written = file.read_text(encoding="utf-8")
    return _CHANGES_WITH_THE_SDK.sub("", written) == _CHANGES_WITH_THE_SDK.sub("", text)


def main(arguments: list[str]) -> None:
    """Write the manifests into the folder that the command line names."""
    folder = Path(arguments[0])
    for path in write_manifests(folder):
        sys.stdout.write(f"{folder / path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
