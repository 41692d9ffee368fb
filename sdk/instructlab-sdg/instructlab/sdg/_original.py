"""Two distributions with one name: who imports must be told which of them is used."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from instructlab.sdg._version import __version__

logger = logging.getLogger(__name__)

DISTRIBUTION = "instructlab-sdg"


def warn_of_the_original() -> None:
    """Warn, once, if a second ``instructlab.sdg`` can be imported in this process.

    Nothing is said where this one is the only one, which costs a few looks at folders.
    """
    ours = Path(__file__).resolve().parent
    others = [
        folder
        for entry in sys.modules["instructlab"].__path__
        if (folder := Path(entry, "sdg")) and (folder / "__init__.py").is_file()
        if folder.resolve() != ours
    ]
    if others:
        found = " and ".join(f"{_version_of(folder)} in {folder}" for folder in others)
        logger.warning(
            "instructlab.sdg is the one of kfp-sdg: version %s in %s. There is also %s, which is "
            "not used; uninstall it, or take this one off the Python path to use it.",
            __version__,
            ours,
            found,
        )


def _version_of(folder: Path) -> str:
    """Return the version of the distribution that a folder ``instructlab/sdg`` is from."""
    from importlib.metadata import distributions

    versions = {
        found.version for found in distributions(name=DISTRIBUTION, path=[str(folder.parents[1])])
    }
    return f"version {versions.pop()}" if len(versions) == 1 else "one of unknown version"
