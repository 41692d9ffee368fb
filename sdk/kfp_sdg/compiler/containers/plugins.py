"""What the user's plugins are imported from, for containers that have never heard of them."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FOLDER = "/run/kfp-sdg/plugins"
_INSTALLED = ("site-packages", "dist-packages")
_LIBRARY = sysconfig.get_path("stdlib")


@dataclass(frozen=True, slots=True)
class PluginMount:
    """What a plugin is imported from.

    Attributes:
        module: The module's file or package on this machine.
        source: What is mounted: the folder that it is in, so that it finds what lies beside it; of
            an installed one only itself, lest this machine's packages hide those of the image.
        target: Where that is inside.
        python_path: Where Python has to look there.
    """

    module: str
    source: str
    target: str
    python_path: str


def plugin_mounts(modules: Iterable[str]) -> tuple[PluginMount, ...]:
    """Return what modules are imported from, each place once.

    Args:
        modules: The modules' full names; they can be imported here.
    """
    mounts: dict[str, PluginMount] = {}
    for module in dict.fromkeys(name.partition(".")[0] for name in modules):
        place = _place(module)
        if place is None:  # built into Python
            continue
        folder, name = os.path.split(place)
        inside = f"{_FOLDER}/{len(mounts)}"
        if folder == _LIBRARY or os.path.basename(folder) in _INSTALLED:
            mounts[place] = PluginMount(place, place, f"{inside}/{name}", inside)
        elif folder not in mounts:
            mounts[folder] = PluginMount(place, folder, inside, inside)
    return tuple(mounts.values())


def _place(module: str) -> str | None:
    """Return the file or folder of a top-level module."""
    found = find_spec(module)
    if found is None:
        return None
    folders = list(found.submodule_search_locations or ())
    place = folders[0] if folders else found.origin
    return os.path.abspath(place) if place and os.path.exists(place) else None
