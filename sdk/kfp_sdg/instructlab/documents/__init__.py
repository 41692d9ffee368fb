"""The documents of knowledge leaves: fetched from git or folders, converted to Markdown, chunked.

It asks nobody for a password, writes no secret to a disk, and runs nothing of a repository.
"""

from kfp_sdg.instructlab.documents.access import GitAccess, GitSecret
from kfp_sdg.instructlab.documents.chunk import (
    DEFAULT_CHUNK_WORD_COUNT,
    DEFAULT_SERVER_CTX_SIZE,
    chunk_document,
)
from kfp_sdg.instructlab.documents.convert import Converter
from kfp_sdg.instructlab.documents.docling_converter import DoclingConverter
from kfp_sdg.instructlab.documents.load import (
    DocumentFile,
    LeafDocuments,
    fetch_documents,
    load_documents,
)

__all__ = [
    "DEFAULT_CHUNK_WORD_COUNT",
    "DEFAULT_SERVER_CTX_SIZE",
    "Converter",
    "DoclingConverter",
    "DocumentFile",
    "GitAccess",
    "GitSecret",
    "LeafDocuments",
    "chunk_document",
    "fetch_documents",
    "load_documents",
]
