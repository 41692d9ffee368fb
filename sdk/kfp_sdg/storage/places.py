"""Files and folders by path or by URL (``s3://``, ``hf://``, … through fsspec)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from kfp_sdg.errors import StorageError
from kfp_sdg.storage import object_store

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DISTRIBUTIONS = {
    "libarchive": "libarchive-c",
    "s3fs": "'kfp-sdg[s3]'",
    "smbclient": "smbprotocol",
}
"""What to install for a module that is not named like it."""
_MISSING = "no such file or folder"


def is_url(place: str) -> bool:
    """Tell whether a place is a URL and not a path."""
    return _URL.match(place) is not None


def join(folder: str, name: str) -> str:
    """Return the place of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_url(folder) else os.path.join(folder, name)


def is_folder(place: str) -> bool:
    """Tell whether a place is a folder.

    Raises:
        StorageError: There is nothing, or the storage cannot be reached.
    """
    if is_url(place):
        files, path = file_system(place)
        if object_store.is_object_store(place):  # a key that may not list can read a file
            return bool(_ask(place, lambda: files.info(path)["type"]) == "directory")
        exists, folder = _ask(place, lambda: (files.exists(path), files.isdir(path)))
    else:
        exists, folder = os.path.exists(place), os.path.isdir(place)
    if not exists:
        raise StorageError(f"{place}: {_MISSING}")
    return bool(folder)


def names_in(folder: str) -> list[str]:
    """Return the names of a folder's entries.

    Raises:
        StorageError: There is no such folder, or it cannot be read.
    """
    if not is_folder(folder):
        raise StorageError(f"{folder}: a folder is needed, and this is a file")
    if is_url(folder):
        files, path = file_system(folder)
        listed = _ask(folder, lambda: files.ls(path, detail=False))
        return [name.rstrip("/").rsplit("/", 1)[-1] for name in listed]
    return cast("list[str]", _ask(folder, lambda: os.listdir(folder)))


def open_binary(place: str) -> BinaryIO:
    """Open a file for reading.

    Raises:
        StorageError: The file is missing or cannot be read.
    """
    if is_url(place):
        files, path = file_system(place)
        return cast("BinaryIO", _ask(place, lambda: files.open(path, "rb")))
    return cast("BinaryIO", _ask(place, lambda: open(place, "rb")))


def copy_folder(url: str, folder: str | os.PathLike[str]) -> None:
    """Bring all files below a URL into a folder here.

    Args:
        url: The URL of a folder, or of a single file.
        folder: Where they go; it exists.

    Raises:
        StorageError: There is nothing, or the storage cannot be reached.
    """
    files, path = file_system(url)
    found = _ask(url, lambda: files.find(path))
    if not found:
        raise StorageError(f"{url}: no such file or folder")
    for name in found:
        below = name.removeprefix(path.rstrip("/")).lstrip("/") or name.rsplit("/", 1)[-1]
        place = os.path.join(folder, *below.split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _ask(name, lambda name=name, place=place: files.get_file(name, place))


def read_text(place: str) -> str:
    """Return a small UTF-8 file's text.

    Raises:
        StorageError: The file cannot be read, or is not UTF-8.
    """
    with open_binary(place) as file:
        content = file.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise StorageError(f"{place}: not UTF-8 text: {error}") from None


def file_system(url: str) -> tuple[AbstractFileSystem, str]:
    """Return the file system that a URL is of, and the path that it has there.

    Raises:
        StorageError: No such file system is known, or its package is not installed.
    """
    import fsspec

    known, options = object_store.located(url) if object_store.is_object_store(url) else (url, {})
    try:
        files, path = fsspec.core.url_to_fs(known, **options)
    except ImportError as error:
        raise StorageError(f"{url}: {_what_to_install(error)}") from None
    except (ValueError, OSError) as error:
        raise StorageError(f"{url}: {error}") from None
    return files, path


def told(place: str, error: Exception) -> str:
    """Return what the error of a place's storage means; every storage has errors of its own."""
    if object_store.is_object_store(place):
        return object_store.told(error)
    return f"{type(error).__name__}: {error}"


def _what_to_install(error: ImportError) -> str:
    """Explain a missing package: fsspec words each differently, its cause names the module."""
    missing = error.__cause__
    if not (isinstance(missing, ModuleNotFoundError) and missing.name):
        return str(error)
    module = missing.name.split(".")[0]
    package = _DISTRIBUTIONS.get(module, module)
    return f"such URLs need a Python package that is not installed: pip install {package}"


def _ask(place: str, question: Any) -> Any:
    """Ask the storage; its own errors differ from one to the next."""
    try:
        return question()
    except FileNotFoundError as error:
        why = object_store.no_bucket(error) or _MISSING
        raise StorageError(f"{place}: {why}") from None
    except Exception as error:
        raise StorageError(f"{place}: cannot be read: {told(place, error)}") from error
