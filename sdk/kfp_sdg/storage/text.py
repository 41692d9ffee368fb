"""UTF-8, with the line in the error where a file is something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

BOM = b"\xef\xbb\xbf"


def decode(content: bytes, source: str, first_line: int) -> str:
    """Return the text of bytes.

    Args:
        content: The bytes, from the start of a line.
        source: The file's name, for the error.
        first_line: The number of the first line, counted from 1.

    Raises:
        StorageError: The bytes are not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = first_line + content.count(b"\n", 0, error.start)
        raise StorageError(
            f"{source}:{line}: not UTF-8 text (byte 0x{content[error.start]:02x}); save the file "
            "as UTF-8"
        ) from None


def check_utf8(open_file: Callable[[], BinaryIO], source: str) -> None:
    """Raise a ``StorageError`` with the line if a file is not UTF-8."""
    with open_file() as file:
        for number, line in enumerate(file, start=1):
            decode(line, source, number)
