"""The pipelines that ship: InstructLab's in ``instructlab/``, ours to learn from in ``examples/``.

This folder holds YAML and rows to run and to copy; nothing in the library depends on what they say.
"""

from __future__ import annotations

from pathlib import Path

SHIPPED_FOLDER = Path(__file__).parent
"""Where the shipped pipelines are on disk."""

_NO_PIPELINES = frozenset({"configs", "compiled"})


def shipped_names() -> list[str]:
    """Return the names of all shipped pipelines: ``instructlab/full/knowledge`` and so on."""
    paths = (path.relative_to(SHIPPED_FOLDER) for path in SHIPPED_FOLDER.rglob("*.yaml"))
    return sorted(
        path.with_suffix("").as_posix() for path in paths if _NO_PIPELINES.isdisjoint(path.parts)
    )


def shipped(name: str) -> Path:
    """Return the file of a shipped pipeline.

    Args:
        name: One of ``shipped_names()``, with or without ``.yaml``.

    Raises:
        KeyError: No pipeline of that name ships.
    """
    known = shipped_names()
    if name.removesuffix(".yaml") not in known:
        raise KeyError(f"no shipped pipeline {name!r}; there are {', '.join(known)}")
    return SHIPPED_FOLDER / f"{name.removesuffix('.yaml')}.yaml"


__all__ = ["SHIPPED_FOLDER", "shipped", "shipped_names"]
