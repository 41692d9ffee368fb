"""The API key: where it is looked for, and how it is kept out of sight."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_VARIABLE = "KFP_SDG_API_KEY"
FILE_VARIABLE = "KFP_SDG_API_KEY_FILE"
FALLBACK_VARIABLE = "OPENAI_API_KEY"

_NO_KEY = "EMPTY"
"""What vLLM's documentation sends to servers that want no key; clients insist on some value."""

_FILES_IN_A_FOLDER = ("api_token", "api_key")
"""A mounted Kubernetes Secret is a folder with a file per key; these two names are understood."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key that does not show in a representation.

    Attributes:
        value: The key itself; "EMPTY" where there is none.
        source: Where it came from, for messages: "KFP_SDG_API_KEY".
    """

    value: str = field(repr=False)
    source: str

    @property
    def given(self) -> bool:
        """Whether the user gave a key."""
        return self.value != _NO_KEY

    def hide_in(self, text: str) -> str:
        """Return a text in which the key is masked, for servers that repeat it in errors."""
        return text.replace(self.value, "***") if self.given else text

    @property
    def advice(self) -> str:
        """What to do when a server refuses this key."""
        where = f"set {KEY_VARIABLE}, or {FILE_VARIABLE} to a file that holds the key"
        return f"it refused the key from {self.source}; {where}" if self.given else where


def find_api_key(environ: Mapping[str, str]) -> ApiKey:
    """Look for the API key in an environment.

    The first of these that holds something counts: ``KFP_SDG_API_KEY``; the file that
    ``KFP_SDG_API_KEY_FILE`` names, or ``api_token`` or ``api_key`` in it if it is a folder;
    ``OPENAI_API_KEY``. A file that is not there is no error, since an optional Secret is mounted
    as an empty folder and most servers inside a cluster want no key.

    Raises:
        SpecError: The key holds characters that no HTTP header may hold; the key is not shown.
    """
    if value := environ.get(KEY_VARIABLE, "").strip():
        return _checked(value, KEY_VARIABLE)
    if place := environ.get(FILE_VARIABLE, "").strip():
        for path in _candidates(Path(place)):
            if value := _content(path):
                return _checked(value, f"{path} (named by {FILE_VARIABLE})")
    if value := environ.get(FALLBACK_VARIABLE, "").strip():
        return _checked(value, FALLBACK_VARIABLE)
    return ApiKey(_NO_KEY, "nowhere")


def _candidates(place: Path) -> list[Path]:
    return [place / name for name in _FILES_IN_A_FOLDER] if place.is_dir() else [place]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _checked(value: str, source: str) -> ApiKey:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise SpecError(
            Problem(
                "the API key holds a space, a line break or a character outside ASCII",
                Position(source),
                expected="the key alone, on one line",
                code="api-key",
            )
        )
    return ApiKey(value, source)
