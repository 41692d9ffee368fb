"""The digests of the images, from their registries."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.errors import ClusterError, Position, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kfp_sdg.cluster.images.lock import ImageLock, LockedImage

SKOPEO = "skopeo"

_TIME_LIMIT = "60s"
"""How long skopeo may take for one image: a manifest has some kilobytes."""

_DIGEST_LINE = re.compile(
    r"(?P<before>\s*(?:- )?digest:\s*)(?P<quote>[\"']?)sha256:[0-9a-f]{64}(?P=quote)"
)
_TAG_LINE = re.compile(r"(?P<indent>\s*)(?P<dash>- )?(?:tag|image):\s")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a registry says of an image.

    Attributes:
        image: The image.
        digest: Its digest; None where the registry gives none.
        failure: Why there is none.
    """

    image: LockedImage
    digest: str | None
    failure: str | None = None


def resolve_digests(lock: ImageLock) -> Iterator[Resolved]:
    """Ask the registries which digests the images have now.

    An image with a tag is asked for by its tag; one without by its digest, which then has to be
    there. The digest is that of the manifest as the registry sends it, which for several
    architectures is the index of all of them.

    Args:
        lock: The images.

    Yields:
        One answer for each image, as it comes.

    Raises:
        ClusterError: skopeo is not installed.
    """
    for image in lock:
        reference = image.reference
        asked = f"{reference.repository}:{reference.tag}" if reference.tag else reference.pinned
        command = [
            SKOPEO,
            "--command-timeout",
            _TIME_LIMIT,
            "inspect",
            "--raw",
            f"docker://{asked}",
        ]
        try:
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        except FileNotFoundError:
            raise ClusterError(
                f"{SKOPEO} is not installed, and is what asks registries for digests; install it "
                "with the system's packages, or write the digests into the file by hand"
            ) from None
        if done.returncode == 0:
            yield Resolved(image, f"sha256:{hashlib.sha256(done.stdout).hexdigest()}")
        else:
            yield Resolved(image, None, _last_words(done.stderr.decode("utf-8", "replace")))


def write_digests(path: Path, digests: Mapping[str, str]) -> None:
    """Write digests into a list of images; everything else in the file stays as it is.

    Args:
        path: The list.
        digests: The digests by the images' names.

    Raises:
        SpecError: The list is wrong.
        StorageError: The file cannot be written, or an entry is not written line by line.
    """
    from kfp_sdg.cluster.images.lock import read_lock

    places = {image.name: image.where for image in read_lock(path)}
    lines = path.read_text(encoding="utf-8").split("\n")
    for name, digest in sorted(digests.items(), key=lambda entry: -places[entry[0]].line):
        _write_digest(lines, places[name], digest)
    try:
        path.write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def _write_digest(lines: list[str], where: Position, digest: str) -> None:
    """Write one digest into the entry that begins at a place."""
    first = where.line - 1
    last = first + 1
    while last < len(lines) and not re.match(r"\s*- |\S", lines[last]):
        last += 1
    for index in range(first, last):
        if found := _DIGEST_LINE.match(lines[index]):
            rest = lines[index][found.end() :]
            lines[index] = f"{found['before']}{found['quote']}{digest}{found['quote']}{rest}"
            return
    for index in reversed(range(first, last)):
        if found := _TAG_LINE.match(lines[index]):
            indent = found["indent"] + " " * len(found["dash"] or "")
            lines.insert(index + 1, f"{indent}digest: {digest}")
            return
    raise StorageError(
        f"{where}: this entry has no line 'tag:' below which its digest could be written; write "
        "each of its keys on a line of its own"
    )


def _last_words(text: str) -> str:
    """Return what skopeo says last, without its log's frame."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return "skopeo failed and says nothing"
    found = re.search(r'msg="(.*)"\s*$', lines[-1])
    return found[1].replace('\\"', '"') if found else lines[-1]
