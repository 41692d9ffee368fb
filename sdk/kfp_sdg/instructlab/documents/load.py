"""The documents of knowledge leaves, as chunks."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.instructlab.documents.access import GitAccess
from kfp_sdg.instructlab.documents.chunk import (
    DEFAULT_CHUNK_WORD_COUNT,
    DEFAULT_SERVER_CTX_SIZE,
    chunk_document,
)
from kfp_sdg.instructlab.documents.convert import TEXT_ENDINGS, Converter, ending_of, read_text
from kfp_sdg.instructlab.documents.docling_converter import DoclingConverter
from kfp_sdg.instructlab.documents.find import find_documents
from kfp_sdg.instructlab.documents.measure import room_for_chunks
from kfp_sdg.instructlab.documents.repositories import Repositories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfp_sdg.instructlab.model import DocumentSource, Leaf

logger = logging.getLogger(__name__)

_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document of a leaf.

    Attributes:
        path: Its path in the repository, with ``/``.
        file: Where it is on this machine.
        chunks: How many chunks it gave.
    """

    path: str
    file: Path
    chunks: int


@dataclass(frozen=True, slots=True)
class LeafDocuments:
    """The documents of a leaf.

    Attributes:
        files: Its documents, sorted by their paths.
        chunks: Their chunks, document after document.
    """

    files: tuple[DocumentFile, ...] = ()
    chunks: tuple[str, ...] = ()


def load_documents(
    leaves: Iterable[Leaf],
    *,
    taxonomy_folder: Path | str,
    cache: Path | str,
    access: GitAccess | None = None,
    converter: Converter | None = None,
    chunk_word_count: int = DEFAULT_CHUNK_WORD_COUNT,
    server_ctx_size: int = DEFAULT_SERVER_CTX_SIZE,
) -> dict[str, LeafDocuments]:
    """Fetch, convert and chunk the documents of knowledge leaves.

    A repository is fetched once for each commit, however many leaves name it.

    Args:
        leaves: The leaves; those that are no knowledge are passed over.
        taxonomy_folder: The taxonomy, from where relative paths count.
        cache: A folder for fetched repositories and their documents. Names in it are the same
            in every run; what is there is not fetched again, where the leaf names a full commit.
        access: Secrets and permissions; none where not given.
        converter: What reads PDF, DOCX and HTML; docling where not given.
        chunk_word_count: The most words of a chunk.
        server_ctx_size: The teacher's context in tokens.

    Returns:
        The documents of each knowledge leaf, by the leaf's name.

    Raises:
        SpecError: Faults of leaves or documents, all of them: a commit that is not there, a pattern
            that matches nothing, documents without text, a text that is not UTF-8.
        StorageError: A repository cannot be reached.
    """
    loader = _Loader(
        Repositories(Path(cache), access or GitAccess(), Path(taxonomy_folder)),
        converter or DoclingConverter(),
        chunk_word_count,
        server_ctx_size,
    )
    documents: dict[str, LeafDocuments] = {}
    problems: list[Problem] = []
    for leaf in leaves:
        if leaf.documents is None:
            continue
        try:
            documents[leaf.name] = loader.load(leaf, leaf.documents)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return documents


def fetch_documents(
    leaves: Iterable[Leaf],
    *,
    taxonomy_folder: Path | str,
    cache: Path | str,
    access: GitAccess | None = None,
) -> dict[str, tuple[Path, ...]]:
    """Fetch the documents of every knowledge leaf and leave them as they are.

    Arguments and errors are those of ``load_documents``.

    Returns:
        The files on this machine by the leaf's name, sorted by their paths in the repository.
    """
    repositories = Repositories(Path(cache), access or GitAccess(), Path(taxonomy_folder))
    found: dict[str, tuple[Path, ...]] = {}
    problems: list[Problem] = []
    for leaf in leaves:
        if leaf.documents is None:
            continue
        try:
            tree = repositories.tree(leaf.documents, leaf.file)
            paths = find_documents(tree, leaf.documents, leaf.file)
            files = tree.on_disk(paths)
        except SpecError as error:
            problems += error.problems
            continue
        found[leaf.name] = tuple(files[path] for path in paths)
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return found


class _Loader:
    """Loads the documents of leaves that share repositories.

    Raises:
        SpecError: A chunk of so many words would not fit into the context.
    """

    def __init__(
        self,
        repositories: Repositories,
        converter: Converter,
        chunk_word_count: int,
        server_ctx_size: int,
    ) -> None:
        room_for_chunks(chunk_word_count, server_ctx_size)
        self._repositories = repositories
        self._converter = converter
        self._words = chunk_word_count
        self._context = server_ctx_size
        self._done: dict[Path, list[str]] = {}

    def load(self, leaf: Leaf, source: DocumentSource) -> LeafDocuments:
        tree = self._repositories.tree(source, leaf.file)
        paths = find_documents(tree, source, leaf.file)
        chunks: dict[str, list[str]] = {}
        problems: list[Problem] = []
        files = tree.on_disk(paths)
        for path in paths:
            try:
                chunks[path] = self._chunks(files[path], f"{leaf.file}: document {path}")
            except SpecError as error:
                problems += error.problems
        if problems:
            raise SpecError(problems)
        _check_not_empty(leaf, chunks)
        return LeafDocuments(
            tuple(DocumentFile(path, files[path], len(chunks[path])) for path in paths),
            tuple(chunk for path in paths for chunk in chunks[path]),
        )

    def _chunks(self, file: Path, name: str) -> list[str]:
        """Return the chunks of a document, which is converted once for all leaves."""
        if file not in self._done:
            self._done[file] = self._chunked(file, name)
        return self._done[file]

    def _chunked(self, file: Path, name: str) -> list[str]:
        with file.open("rb") as opened:
            if opened.read(len(_LFS)) == _LFS:
                raise _not_fetched(name)
        if ending_of(file.name) in TEXT_ENDINGS:
            text = read_text(file, name)
        else:
            text = self._converter.to_markdown(file, name)
        return chunk_document(text, chunk_word_count=self._words, server_ctx_size=self._context)


def _check_not_empty(leaf: Leaf, chunks: dict[str, list[str]]) -> None:
    """Warn of documents without text, and refuse a leaf that has no others."""
    empty = [path for path, found in chunks.items() if not found]
    if not empty:
        return
    names = ", ".join(empty)
    if len(empty) < len(chunks):
        logger.warning("%s: no text in %s", leaf.file, names)
        return
    raise SpecError(
        Problem(
            f"the leaf's documents have no text: {names}",
            Position(leaf.file),
            expected="documents with text",
            suggestion="scanned pages need OCR first",
            code="no-text",
        )
    )


def _not_fetched(name: str) -> SpecError:
    return SpecError(
        Problem(
            "this is only a pointer to a file of Git LFS, which is not fetched",
            Position(name),
            expected="the file itself, committed to the repository",
            code="git-lfs",
        )
    )
