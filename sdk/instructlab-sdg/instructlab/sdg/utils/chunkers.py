"""Documents, cut into pieces for the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from instructlab.sdg._failures import as_taxonomy_error
from kfp_sdg.instructlab.documents import DoclingConverter, chunk_document
from kfp_sdg.instructlab.documents.convert import ENDINGS, TEXT_ENDINGS, read_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

SUPPORTED_FILETYPES = list(ENDINGS)


class DocumentChunker:
    """Cuts documents of any of the supported types into pieces.

    Attributes:
        document_paths: The documents.
        chunk_word_count: The most words of a piece.
        server_ctx_size: The teacher's context in tokens.
    """

    def __init__(
        self,
        document_paths: Iterable[str | os.PathLike[str]],
        output_dir: str | os.PathLike[str],
        tokenizer_model_name: str | os.PathLike[str] | None = None,
        docling_model_path: str | os.PathLike[str] | None = None,
        server_ctx_size: int = 4096,
        chunk_word_count: int = 1024,
    ) -> None:
        """Take the documents.

        Args:
            document_paths: The documents, at least one.
            output_dir: No effect.
            tokenizer_model_name: No effect: pieces are measured without a tokenizer.
            docling_model_path: The folder of docling's models; where not given, the one that
                ``models/config.yaml`` in InstructLab's data folders names.
            server_ctx_size: The teacher's context in tokens.
            chunk_word_count: The most words of a piece.

        Raises:
            FileNotFoundError: There are no documents.
            ValueError: One is of a type that cannot be read.
        """
        self.document_paths = [Path(path) for path in document_paths]
        self.server_ctx_size = server_ctx_size
        self.chunk_word_count = chunk_word_count
        self._converter = DoclingConverter(
            None if docling_model_path is None else Path(docling_model_path)
        )
        if not self.document_paths:
            raise FileNotFoundError("there are no documents to cut into pieces")
        for path in self.document_paths:
            if path.suffix.lower() not in SUPPORTED_FILETYPES:
                expected = ", ".join(SUPPORTED_FILETYPES)
                raise ValueError(f"{path} is of a type that cannot be read; expected {expected}")

    def chunk_documents(self) -> list[str]:
        """Return the pieces, document after document.

        Raises:
            TaxonomyReadingException: A document cannot be read.
        """
        chunks: list[str] = []
        with as_taxonomy_error():
            for path in self.document_paths:
                if path.suffix.lower() in TEXT_ENDINGS:
                    text = read_text(path, str(path))
                else:
                    text = self._converter.to_markdown(path, str(path))
                chunks += chunk_document(
                    text,
                    chunk_word_count=self.chunk_word_count,
                    server_ctx_size=self.server_ctx_size,
                )
        return chunks
