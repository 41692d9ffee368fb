"""Names of images, as manifests write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_REGISTRY = "docker.io"
"""Where a name without a registry is from, for Kubernetes as for podman's and docker's builds."""

# The grammar of github.com/distribution/reference, which registries and the kubelet go by.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_REPOSITORY = re.compile(rf"{_HOST}(?:/{_COMPONENT})*")


class NoImageNameError(ValueError):
    """A text is not the name of an image."""


@dataclass(frozen=True, slots=True, order=True)
class ImageReference:
    """The name of an image.

    Attributes:
        repository: Registry and path: "docker.io/vllm/vllm-openai".
        tag: The tag, or None.
        digest: "sha256:" and 64 hexadecimal digits, or None.
    """

    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """Return the name with tag and digest, as far as they are known."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def registry(self) -> str:
        """The registry: "docker.io", "localhost:5000"."""
        return self.repository.partition("/")[0]

    @property
    def path(self) -> str:
        """The repository without its registry: "vllm/vllm-openai"."""
        return self.repository.partition("/")[2]

    @property
    def pinned(self) -> str:
        """The name by its digest alone where one is known, else by its tag.

        skopeo and oc-mirror take no name that has both.
        """
        return f"{self.repository}@{self.digest}" if self.digest else str(self)


def parse_reference(text: str) -> ImageReference:
    """Return an image's name with its registry written out.

    Args:
        text: As a manifest has it: "vllm/vllm-openai:v0.23.0".

    Raises:
        NoImageNameError: It is no name of an image; says so for people.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None or not _PATH.fullmatch(_split(found["name"])[1]):
        raise NoImageNameError(f"{text!r} is not the name of an image")
    first, rest = _split(found["name"])
    if first == "index.docker.io":  # docker's older name of itself
        first = DEFAULT_REGISTRY
    if first == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    return ImageReference(f"{first}/{rest}", found["tag"], found["digest"])


def _split(name: str) -> tuple[str, str]:
    """Return a name's registry and path."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return DEFAULT_REGISTRY, name


def is_registry(text: str) -> bool:
    """Tell whether a text can be a registry, with or without a path: "localhost:5000/mirror"."""
    return _REPOSITORY.fullmatch(text) is not None


def is_placeholder(reference: ImageReference) -> bool:
    """Tell whether the registry is one that nobody can have, for the user to write over.

    RFC 2606 keeps example.com, example.net, example.org and all names in .example and .invalid.
    """
    host = reference.registry.partition(":")[0].lower()
    return re.search(r"(^|\.)(example\.(com|net|org)|example|invalid)$", host) is not None
