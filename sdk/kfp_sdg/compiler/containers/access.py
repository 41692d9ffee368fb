"""Files of this machine that tasks of another user are to read or write."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError, StorageError
from kfp_sdg.storage import places

if TYPE_CHECKING:
    from kfp_sdg.teacher.credentials import Key

_CACHE = "__pycache__"


def open_checkpoint(place: str, *, to_group: bool) -> None:
    """Make the folder of a checkpoint, and let tasks write into what an earlier run left there.

    Args:
        place: The folder.
        to_group: Whether tasks are another user, who has the group of root alone.

    Raises:
        SpecError: It is at a URL, where a task without a network cannot write.
        StorageError: That cannot be done.
    """
    if places.is_url(place):
        raise SpecError(
            Problem(
                f"{place} is at a URL, and a task in a container reaches its teacher only",
                Position("checkpoint"),
                expected="a folder on this machine",
                suggestion="name one with --checkpoint, or run without: --no-checkpoint",
                code="container-checkpoint",
            )
        )
    try:
        os.makedirs(place, exist_ok=True)
        for folder, _, files in os.walk(place) if to_group else ():
            _share(folder, 0o2070)
            for name in files:
                _share(os.path.join(folder, name), 0o060)
    except OSError as error:
        raise StorageError(
            f"{place}: tasks in containers cannot be let in: {error.strerror or error}"
        ) from error


def hand_over_key(key: Key, folder: str, *, to_group: bool) -> str:
    """Put the teacher's key where tasks that ask have it mounted, and nobody else can read it.

    Args:
        key: The key.
        folder: The folder for it, which is made.
        to_group: Whether tasks are another user, who has the group of root alone.

    Returns:
        The folder; "" where there is no key.
    """
    if not key.given:
        return ""
    os.mkdir(folder, 0o700)
    file = os.path.join(folder, "api_key")
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(key.value)
    if to_group:
        _share(folder, 0o050)
        _share(file, 0o040)
    return folder


def require_readable(place: str, what: str) -> None:
    """Make sure that a task of another user may read a file, or a folder with all that is in it.

    Args:
        place: The file or folder. One that is not there is the task's business, as everywhere.
        what: What it is, for the error.

    Raises:
        StorageError: It may not.
    """
    paths = [Path(place)]
    if paths[0].is_dir():
        paths += [path for path in paths[0].rglob("*") if _CACHE not in path.parts]
    for path in paths:
        if path.exists() and not _readable(path.stat()):
            raise StorageError(
                f"{path} ({what}) cannot be read by a task in a container, which is no user of "
                f"this machine; let others read it (chmod -R o+rX {shlex.quote(place)})"
            )


def _share(path: str, bits: int) -> None:
    """Give a file to the group of root, with more bits of its mode."""
    mode = os.lstat(path).st_mode
    if not stat.S_ISLNK(mode):
        os.chown(path, -1, 0)
        os.chmod(path, stat.S_IMODE(mode) | bits)


def _readable(about: os.stat_result) -> bool:
    """Tell whether a user whose only group is root's may read something."""
    needed = 0o5 if stat.S_ISDIR(about.st_mode) else 0o4
    class_of_it = about.st_mode >> 3 if about.st_gid == 0 else about.st_mode
    return class_of_it & needed == needed
