"""Whether manifests and compiled pipelines name only images that ``images.lock`` lists."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.cluster.images.find import NamedImage, Naming, find_images, is_containerfile
from kfp_sdg.cluster.images.reference import (
    ImageReference,
    NoImageNameError,
    is_placeholder,
    parse_reference,
)
from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.images import LOCK_FILE
from kfp_sdg.pipelines import SHIPPED_FOLDER
from kfp_sdg.spec.problems import in_file_order, nearest
from kfp_sdg.storage.places import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kfp_sdg.cluster.images.lock import ImageLock

_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        files: How many files were read.
        images: How often they name an image.
        findings: What is wrong, in the order of the files.
    """

    files: int
    images: int
    findings: tuple[Problem, ...]


def shipped_places() -> tuple[Path, ...]:
    """Return what we ship: compiled pipelines; in a checkout manifests and Containerfiles too."""
    manifests = LOCK_FILE.parents[1] / "manifests"
    checkout = (manifests, LOCK_FILE.parent) if manifests.is_dir() else ()
    return tuple(_short(place) for place in (SHIPPED_FOLDER / "compiled", *checkout))


def check_images(
    places: Iterable[Path], lock: ImageLock, *, registry: str | None = None
) -> Checked:
    """Look for images that the list does not have, or has under another tag or digest.

    A copy of a listed image is one as well: below ``registry``, and at registries that nobody can
    have (``registry.example.com``), which stand for the user's. A model in an image at such a
    registry is the user's own, and is passed over.

    Args:
        places: Files and folders. In folders YAML, JSON and Containerfiles are looked into.
        lock: The list.
        registry: A registry, with or without a path, that has copies of the images.

    Raises:
        StorageError: A file cannot be read.
    """
    rules = _Rules(lock, registry)
    findings: list[Problem] = []
    files = images = 0
    for file in _files(places):
        files += 1
        try:
            for named in find_images(read_text(str(file)), str(file)):
                images += 1
                findings += rules.findings(named)
        except SpecError as error:
            findings += error.problems
    return Checked(files, images, in_file_order(findings))


class _Rules:
    """What a name has to be."""

    def __init__(self, lock: ImageLock, registry: str | None) -> None:
        self.lock = lock
        self.registry = registry

    def findings(self, named: NamedImage) -> Iterator[Problem]:
        """Yield what is wrong with a name, if anything is."""
        try:
            reference = parse_reference(named.text)
            original = parse_reference(named.original) if named.original else None
        except NoImageNameError as error:
            yield Problem(str(error), named.where, code="image-name")
            return
        if named.naming is Naming.MODEL and is_placeholder(reference):
            return
        listed = self._listed(reference, original)
        if not listed:
            yield self._unknown(reference, named)
        elif not any(_agrees(reference, entry, named.naming) for entry in listed):
            yield Problem(
                f"{reference} is in {self._file} under another {_difference(reference, listed[0])}",
                named.where,
                expected=" or ".join(str(entry) for entry in listed),
                code="other-image-version",
            )

    @property
    def _file(self) -> str:
        return os.path.basename(self.lock.file)

    def _listed(
        self, reference: ImageReference, original: ImageReference | None
    ) -> list[ImageReference]:
        """Return the listed images that a name can mean."""
        listed = [image.reference for image in self.lock]
        same = [entry for entry in listed if entry.repository == reference.repository]
        if same or not self._is_copy(reference):
            return same
        if original is not None:  # kustomize says what it is a copy of, whatever its path
            return [entry for entry in listed if entry.repository == original.repository]
        path = f"/{reference.path}"
        return [entry for entry in listed if path.endswith(f"/{entry.path}")]

    def _is_copy(self, reference: ImageReference) -> bool:
        below = self.registry is not None and reference.repository.startswith(f"{self.registry}/")
        return below or is_placeholder(reference)

    def _unknown(self, reference: ImageReference, named: NamedImage) -> Problem:
        meant = nearest(reference.repository, [image.reference.repository for image in self.lock])
        what = "the model" if named.naming is Naming.MODEL else "the image"
        return Problem(
            f"{what} {reference.repository} is not in {self._file}",
            named.where,
            suggestion=f"did you mean {meant!r}?"
            if meant
            else f"add it to {self.lock.file}, so that mirrors have it",
            code="unlisted-image",
        )


def _agrees(reference: ImageReference, listed: ImageReference, naming: Naming) -> bool:
    """Tell whether a name's tag and digest are those of the list, as far as it has them."""
    if reference.digest is not None and reference.digest != listed.digest:
        return False
    if reference.tag is not None:
        return reference.tag == listed.tag
    return reference.digest is not None or naming is Naming.REPLACED or listed.tag == "latest"


def _difference(reference: ImageReference, listed: ImageReference) -> str:
    """Return in what a name differs from the list."""
    return "digest" if reference.digest and reference.digest != listed.digest else "tag"


def _files(places: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of all places, those of a folder in order."""
    for place in places:
        if not place.is_dir():
            yield place
            continue
        for folder, folders, names in os.walk(place):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.endswith(_ENDINGS) or is_containerfile(name):
                    yield Path(folder, name)


def _short(path: Path) -> Path:
    """Return a path as somebody here would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
