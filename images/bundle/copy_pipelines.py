"""Hand the bundled pipelines to the API server of OpenShift AI.

The entry point of the bundle image, with the standard library alone. The operator runs it before
the API server, as a user without a name on a read-only root, with one volume to write to. It copies
the list and a YAML file for each pipeline; the API server uploads what it finds.

Environment:
    PIPELINE_NAMES: The pipelines to copy, with commas; the operator sets it to the names of the
        DSPA's ``spec.apiServer.managedPipelines.pipelines``.
    ALL_PIPELINES: ``true`` for all of them, which is also what happens without PIPELINE_NAMES.
    RELATED_IMAGE_…: Another image for that of the pipelines' tasks. The rest of the variable's name
        is the last part of the image's: RELATED_IMAGE_KFP_SDG_RUNTIME stands for
        ghcr.io/kfp-sdg/kfp-sdg-runtime. The operator passes on all that it has; those of other
        products change nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST = "managed-pipelines.json"
TARGET = Path("/config/managed-pipelines")
"""Where the API server looks, by its flag ``--managedPipelinesDir``."""

PREFIX = "RELATED_IMAGE_"
OURS = "RELATED_IMAGE_KFP_SDG_"

_IMAGE_LINE = re.compile(
    r"^(?P<key> +image: )(?P<quote>['\"]?)(?P<image>[^\s'\"]+)(?P=quote)$", re.M
)
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
"""As much of an image's name as makes it safe in YAML; whether it exists the cluster finds out."""


class CopyError(Exception):
    """The pipelines cannot be handed over; the text says why, and what to do."""


def chosen(names: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return the names of the pipelines to copy, in the order of the list.

    Args:
        names: Those that there are.
        environment: The environment variables.

    Raises:
        CopyError: One that is asked for is not there, or the variables contradict each other.
    """
    every = environment.get("ALL_PIPELINES", "").strip().lower()
    if every not in ("", "true", "false"):
        raise CopyError(f"ALL_PIPELINES is {every!r}; expected true or false")
    asked = [name.strip() for name in environment.get("PIPELINE_NAMES", "").split(",")]
    asked = [name for name in asked if name]
    if every == "true" and asked:
        raise CopyError("both ALL_PIPELINES and PIPELINE_NAMES are set; set one of them")
    if every == "false" and not asked:
        raise CopyError("ALL_PIPELINES is false and PIPELINE_NAMES is empty; nothing is to be done")
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise CopyError(
            f"no pipeline is called {', '.join(unknown)}; this image has {', '.join(names)}"
        )
    return [name for name in names if not asked or name in asked]


def variable_for(image: str) -> str:
    """Return the name of the environment variable that stands for an image.

    Args:
        image: With or without tag and digest: "ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0".
    """
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", last.upper())


def related_images(environment: Mapping[str, str], used: set[str]) -> dict[str, str]:
    """Return the images that are to be used instead, by the variables' names.

    Args:
        environment: The environment variables; those without a value do not count.
        used: The variables that stand for an image of some pipeline.

    Raises:
        CopyError: A variable holds something that is no image.
    """
    images: dict[str, str] = {}
    for key, value in sorted(environment.items()):
        image = value.strip()
        if not key.startswith(PREFIX) or not image:
            continue
        if key not in used:
            if key.startswith(OURS):
                tell(f"warning: {key} changes nothing; there are {', '.join(sorted(used))}")
            continue
        if not _REFERENCE.fullmatch(image):
            raise CopyError(f"{key} is {image!r}, which is not the name of an image")
        images[key] = image
    return images


def with_images(pipeline: str, images: Mapping[str, str]) -> str:
    """Return a compiled pipeline whose tasks run in other images.

    Args:
        pipeline: Its YAML, as KFP's compiler writes it: an image on a line of its own.
        images: What to use instead, by the variables' names.
    """

    def line(found: re.Match[str]) -> str:
        other = images.get(variable_for(found["image"]))
        return found[0] if other is None else found["key"] + other

    return _IMAGE_LINE.sub(line, pipeline)


def write(path: Path, text: str) -> None:
    """Write a file that everybody may read, so that it is never seen half.

    Raises:
        CopyError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.chmod(0o664)
        part.replace(path)
    except OSError as error:
        raise CopyError(f"cannot write {path}: {error.strerror or error}") from error


def copy(source: Path, target: Path, environment: Mapping[str, str]) -> list[str]:
    """Copy pipelines, and at last the list of them.

    Args:
        source: The folder with the list, and the pipelines where it says.
        target: The volume.
        environment: The environment variables.

    Returns:
        The names of the pipelines.

    Raises:
        CopyError: Something is wrong with the environment, the volume or the image.
    """
    try:
        entries = {entry["name"]: entry for entry in json.loads((source / LIST).read_text("utf-8"))}
        names = chosen(list(entries), environment)
        pipelines = {name: (source / entries[name]["path"]).read_text("utf-8") for name in entries}
    except OSError as error:
        raise CopyError(f"this image is broken: {error.filename}: {error.strerror}") from error
    named = {found["image"] for text in pipelines.values() for found in _IMAGE_LINE.finditer(text)}
    images = related_images(environment, {variable_for(image) for image in named})
    if not target.is_dir():
        raise CopyError(f"{target} is not a folder; mount the API server's volume there")
    for name in names:
        write(target / f"{name}.yaml", with_images(pipelines[name], images))
    listed = [entries[name] for name in names]
    write(target / LIST, json.dumps(listed, indent=2, ensure_ascii=False) + "\n")
    return names


def tell(message: str) -> None:
    """Print a line for the pod's log."""
    sys.stderr.write(f"kfp-sdg bundle: {message}\n")


def main() -> int:
    """Run with the environment of the pod; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Copy the bundled pipelines to the API server's volume. See the environment "
        "variables PIPELINE_NAMES, ALL_PIPELINES and RELATED_IMAGE_…"
    )
    parser.add_argument(
        "--target", type=Path, default=TARGET, help="the volume (%(default)s)", metavar="FOLDER"
    )
    target = parser.parse_args().target
    try:
        names = copy(Path(__file__).resolve().parent, target, os.environ)
    except CopyError as error:
        tell(f"error: {error}")
        return 1
    tell(f"{len(names)} pipelines in {target}: {', '.join(names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
