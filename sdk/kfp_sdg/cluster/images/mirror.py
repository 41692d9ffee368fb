"""What mirrors the images into a registry of a network that has no other."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from kfp_sdg.cluster.images.reference import ImageReference

if TYPE_CHECKING:
    from kfp_sdg.cluster.images.lock import ImageLock

_SKOPEO_SCRIPT = """\
#!/bin/sh
# Copies the images of kfp-sdg into a registry, with all architectures, digests kept.
# Written by `kfp-sdg images list --format skopeo`. Needs skopeo 1.6 or newer, and a login at each
# registry: skopeo login REGISTRY.
#
# usage: sh mirror.sh [REGISTRY]
set -eu
registry=${{1:-{registry}}}

copy() {{
  echo "$2"
  skopeo copy --all --preserve-digests --retry-times 3 "docker://$1" "docker://$2"
}}

"""


def mirrored(reference: ImageReference, registry: str) -> ImageReference:
    """Return the name of an image's copy: its path is kept, as oc-mirror keeps it.

    Args:
        reference: The image.
        registry: Where it is copied to, with or without a path: "registry.example.com:5000/ai".
    """
    return ImageReference(f"{registry}/{reference.path}", reference.tag, reference.digest)


def image_set(lock: ImageLock) -> str:
    """Return an ``ImageSetConfiguration`` for oc-mirror v2.

    The fields are those of ``internal/pkg/api/v2alpha1`` in github.com/openshift/oc-mirror, which
    refuses any others. An image is named by its digest where one is known: of a name with both,
    oc-mirror takes the tag.

    Args:
        lock: The images.
    """
    lines = [
        "apiVersion: mirror.openshift.io/v2alpha1",
        "kind: ImageSetConfiguration",
        "mirror:",
        "  additionalImages:",
    ]
    for image in lock:
        shown = f" {image.reference.tag}" if image.reference.digest and image.reference.tag else ""
        lines.append(f"    - name: {image.reference.pinned} # {image.name}{shown}")
    return "\n".join(lines) + "\n"


def skopeo_script(lock: ImageLock, registry: str) -> str:
    """Return a shell script that copies the images with skopeo.

    Args:
        lock: The images.
        registry: Where they are copied to when the script is not told another registry.
    """
    lines = [_SKOPEO_SCRIPT.format(registry=registry)]
    for image in lock:
        reference = image.reference
        copy = (
            f"{reference.path}:{reference.tag}"
            if reference.tag
            else reference.pinned[len(reference.registry) + 1 :]
        )
        lines.append(f'copy {shlex.quote(reference.pinned)} "$registry/{copy}"\n')
    return "".join(lines)


def as_json(lock: ImageLock) -> str:
    """Return the list for programs: a JSON array with an object for each image."""
    listed = [
        {
            "name": image.name,
            "image": image.reference.repository,
            "tag": image.reference.tag,
            "digest": image.reference.digest,
            "reference": image.reference.pinned,
            "role": image.role.value,
            "purpose": image.purpose,
            "containerfile": image.containerfile,
            "origin": image.origin,
        }
        for image in lock
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False)
