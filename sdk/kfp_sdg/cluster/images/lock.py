"""``images.lock``: the list of every image that is built here or named by what we ship."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.images.reference import ImageReference, NoImageNameError, parse_reference
from kfp_sdg.errors import Position

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from kfp_sdg.spec.model import SourceMap
    from kfp_sdg.spec.problems import Findings


class ImageRole(StrEnum):
    """What an image is for."""

    TASK = "task"
    """Runs a task of a compiled pipeline."""

    BUNDLE = "bundle"
    """Brings the compiled pipelines into OpenShift AI."""

    TEACHER = "teacher"
    """Serves the teacher."""

    BASE = "base"
    """What images of ours are built on; not needed on a cluster."""


@dataclass(frozen=True, slots=True)
class LockedImage:
    """An image of the list.

    Attributes:
        name: A short name of its own, for the command line.
        reference: Its name at its registry; has a tag, a digest or both.
        role: What it is for.
        purpose: The same in a sentence.
        containerfile: What it is built from, relative to the repository; None for others' images.
        origin: Whose image it is, and what using it takes; None for ours.
        where: Where the list names it.
    """

    name: str
    reference: ImageReference
    role: ImageRole
    purpose: str
    containerfile: str | None = None
    origin: str | None = None
    where: Position = field(default=Position("<python>"), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ImageLock:
    """The list.

    Attributes:
        images: The images, by name.
        file: The file as it was named, for messages.
    """

    images: tuple[LockedImage, ...]
    file: str

    def __iter__(self) -> Iterator[LockedImage]:
        """Go through the images by name."""
        return iter(self.images)

    def only(self, chosen: Collection[str]) -> ImageLock:
        """Return the list with some of its images.

        Args:
            chosen: Names and roles; empty for all images.

        Raises:
            KeyError: One of them is neither a name nor a role; the error's argument is that one.
        """
        for word in chosen:
            if not any(word in (image.name, image.role) for image in self.images):
                raise KeyError(word)
        kept = tuple(
            image
            for image in self.images
            if not chosen or image.name in chosen or image.role in chosen
        )
        return ImageLock(kept, self.file)


_TEXT = {"type": "string", "pattern": r"\S"}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"images": {"type": "array", "items": {"type": "object"}, "minItems": 1}},
    "required": ["images"],
}
_IMAGE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$"},
        "image": _TEXT,
        "tag": _TEXT,
        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        "role": {"enum": [role.value for role in ImageRole]},
        "containerfile": _TEXT,
        "origin": _TEXT,
        "purpose": _TEXT,
    },
    "required": ["name", "image", "role", "purpose"],
}


def read_lock(path: Path) -> ImageLock:
    """Read a list of images.

    Args:
        path: Its YAML file.

    Raises:
        SpecError: There is no such file, or it is no list of images; has every problem with its
            line.
    """
    from kfp_sdg.spec.check import Checker
    from kfp_sdg.spec.problems import Findings
    from kfp_sdg.spec.yaml_source import read_yaml

    findings = Findings()
    document = read_yaml(path, kind="list of images", findings=findings)
    checker = Checker(document.source, findings)
    checker.check(document.content, _SCHEMA, ())
    listed = document.content.get("images")
    images: list[LockedImage] = []
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        node = ("images", index)
        if not isinstance(entry, dict) or not checker.check(entry, _IMAGE_SCHEMA, node):
            continue
        image = _image(entry, document.source, index, findings)
        if image is None:
            continue
        _check_order(image, images, findings)
        images.append(image)
    findings.raise_errors()
    return ImageLock(tuple(images), str(path))


def _image(
    entry: dict[str, Any], source: SourceMap, index: int, findings: Findings
) -> LockedImage | None:
    """Return an entry's image, or None where the entry is wrong."""
    where = source.at("images", index)
    try:
        reference = parse_reference(entry["image"])
    except NoImageNameError as error:
        findings.error(source.at("images", index, "image"), str(error), code="image-name")
        return None
    if reference.tag or reference.digest:
        findings.error(
            source.at("images", index, "image"),
            f"'image' is {entry['image']!r}, a name with its tag or digest",
            code="image-name",
            expected="the name alone",
            suggestion="write the rest under 'tag' and 'digest'",
        )
        return None
    tag, digest = entry.get("tag"), entry.get("digest")
    if tag is None and digest is None:
        findings.error(
            where, "this image has neither 'tag' nor 'digest'", code="missing-key", expected="one"
        )
        return None
    if ("containerfile" in entry) == ("origin" in entry):
        both = "both" if "origin" in entry else "neither"
        findings.error(
            where,
            f"this image has {both} of 'containerfile' and 'origin'",
            code="missing-key",
            expected="'containerfile' for an image of ours, 'origin' for one of others",
        )
        return None
    return LockedImage(
        name=entry["name"],
        reference=ImageReference(reference.repository, tag, digest),
        role=ImageRole(entry["role"]),
        purpose=entry["purpose"],
        containerfile=entry.get("containerfile"),
        origin=entry.get("origin"),
        where=where,
    )


def _check_order(image: LockedImage, before: list[LockedImage], findings: Findings) -> None:
    """Find a name that is taken, or that is not where somebody would look for it."""
    if not before or before[-1].name < image.name:
        return
    same = next((other for other in before if other.name == image.name), None)
    if same is not None:
        findings.error(
            image.where,
            f"the name {image.name!r} is taken",
            code="duplicate-name",
            expected="a name of its own for each image",
            suggestion=f"line {same.where.line} has it too",
        )
    else:
        findings.error(
            image.where,
            f"{image.name!r} stands after {before[-1].name!r}",
            code="order",
            expected="the images in the order of their names",
        )
