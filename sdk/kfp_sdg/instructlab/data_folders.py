"""Where InstructLab's tools look for what a user or a system installs for them."""

from __future__ import annotations

from pathlib import Path


def data_folders() -> tuple[Path, ...]:
    """Return the folders ``instructlab/sdg`` of the user and of the system, the first one first.

    They are those of the XDG Base Directory Specification: below ``XDG_DATA_HOME``, then below each
    of ``XDG_DATA_DIRS``. They need not exist.
    """
    from xdg_base_dirs import xdg_data_dirs, xdg_data_home

    return tuple(
        Path(folder) / "instructlab" / "sdg" for folder in (xdg_data_home(), *xdg_data_dirs())
    )
