"""LoRA adapters that are served beside their model, each under a name of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kfp_sdg.errors import Position, Problem, SpecError

SCHEMES = ("hf", "s3", "gs", "pvc", "oci", "oci+native", "https", "modelscope")
"""Where KServe takes a model from (its utils.go); places without encryption are left out."""

_ON_VOLUMES = "pvc"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_URI = re.compile(r"[A-Za-z0-9][^\s?#]*")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter.

    Attributes:
        name: The model name that requests ask for it by.
        uri: Where it is, for KServe: "pvc://claim/folder", "hf://owner/name", "s3://bucket/folder".
    """

    name: str
    uri: str

    @property
    def path(self) -> str:
        """Return where the server finds it."""
        return f"/mnt/lora/{self.name}"

    @property
    def claim(self) -> tuple[str, str] | None:
        """Return the volume claim and the folder in it, None where it is elsewhere."""
        scheme, _, rest = self.uri.partition("://")
        if scheme != _ON_VOLUMES:
            return None
        name, _, folder = rest.partition("/")
        return name, folder


def parse_adapter(text: str) -> Adapter:
    """Return an adapter that is written as NAME=URI.

    Raises:
        SpecError: It is not, or KServe takes nothing from there.
    """
    name, found, uri = text.partition("=")
    if not found or not _NAME.fullmatch(name):
        raise SpecError(
            Problem(
                f"{text!r} is no adapter",
                Position("--adapter"),
                expected="NAME=URI, such as skill-classifier-v3-clm=pvc://lab-adapters/skills",
            )
        )
    check_uri(uri, "--adapter")
    return Adapter(name, uri)


def check_uri(uri: str, option: str) -> None:
    """Refuse a place that KServe takes no model from.

    Args:
        uri: The place.
        option: The option that it was given with.

    Raises:
        SpecError: The scheme is not one of KServe's, or nothing follows it.
    """
    scheme, found, rest = uri.partition("://")
    claim = rest.partition("/")[0]
    bad_claim = scheme == _ON_VOLUMES and not _CLAIM.fullmatch(claim)
    if found and scheme in SCHEMES and _URI.fullmatch(rest) and not bad_claim and ".." not in rest:
        return
    schemes = ", ".join(f"{known}://" for known in SCHEMES)
    raise SpecError(
        Problem(
            f"KServe takes no model from {uri!r}",
            Position(option),
            expected=f"one of {schemes} and a place; a volume as pvc://CLAIM/FOLDER",
        )
    )
