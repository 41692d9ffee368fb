"""Documents as Markdown: text files as they are, others through docling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from pathlib import Path

TEXT_ENDINGS = (".md", ".markdown", ".txt")
DOCLING_ENDINGS = (".pdf", ".docx", ".html", ".htm")
ENDINGS = (*TEXT_ENDINGS, *DOCLING_ENDINGS)
"""What a document's name ends in, in any case."""


class Converter(Protocol):
    """Makes Markdown of documents that are no text files."""

    def to_markdown(self, path: Path, name: str) -> str:
        """Return a document as Markdown.

        Args:
            path: The file.
            name: Its name for messages.

        Raises:
            SpecError: The package that reads such documents is not installed, or the document is
                damaged.
        """


def ending_of(path: str) -> str | None:
    """Return a document's ending in small letters, or None for what is no document."""
    return next((ending for ending in ENDINGS if path.lower().endswith(ending)), None)


def read_text(path: Path, name: str) -> str:
    """Return a text file's text.

    UTF-8, or UTF-16 or UTF-32 where the file begins with the mark of it.

    Args:
        path: The file.
        name: Its name for messages.

    Raises:
        SpecError: It is in another encoding; the position of its first byte that is wrong is named.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError(
            Problem(
                f"not {encoding.upper().removesuffix('-SIG')} text: byte {error.start + 1} of the "
                f"file, 0x{wrong:02x}, cannot be read",
                Position(name, line),
                expected="text in UTF-8",
                suggestion="convert it, for instance with: iconv -f LATIN1 -t UTF-8",
                code="encoding",
            )
        ) from None


_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""The marks at the beginning of a file, the longer ones first."""
