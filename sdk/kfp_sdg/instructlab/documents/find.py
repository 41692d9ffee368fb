"""Which files of a tree a leaf means by its patterns."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.instructlab.documents.convert import ENDINGS, ending_of
from kfp_sdg.instructlab.documents.patterns import matching, refusal
from kfp_sdg.instructlab.documents.trees import LeadsOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfp_sdg.instructlab.documents.trees import Tree
    from kfp_sdg.instructlab.model import DocumentSource

_MOST_NAMES = 8
"""How many names an error lists of what is there."""


def find_documents(tree: Tree, source: DocumentSource, file: str) -> list[str]:
    """Return the paths of the documents that the patterns match, sorted, each once.

    A file that is no document, as a picture beside the texts, is passed over as long as the pattern
    finds documents too.

    Args:
        tree: The repository's files.
        source: What the leaf says, with its patterns.
        file: The leaf's file, for messages.

    Raises:
        SpecError: Patterns are refused or match no document, or what they match is a symbolic link
            that leads out. All such problems at once.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}
    paths = tree.paths
    for number, pattern in enumerate(source.patterns):
        where = source.places.get(number, Position(file))
        if reason := refusal(pattern):
            expected = "a pattern of paths below the repository's folder, as docs/*.md"
            problems.append(_problem(where, f"the pattern {pattern!r} {reason}", expected))
            continue
        matched = matching(pattern, paths)
        documents = [path for path in matched if ending_of(path)]
        if not documents:
            problems.append(_nothing(where, pattern, matched, tree))
        for path in documents:
            try:
                found.setdefault(tree.file_behind(path), path)
            except LeadsOut as error:
                message = f"the document {path} is a symbolic link that {error}"
                problems.append(_problem(where, message, "a file", code="document-link"))
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return sorted(found)


def _nothing(where: Position, pattern: str, matched: Sequence[str], tree: Tree) -> Problem:
    kinds = ", ".join(ENDINGS)
    if matched:
        message = f"the pattern {pattern!r} matches no document, only {_named(matched)}"
        return _problem(where, message, f"files that end in {kinds}", code="no-document")
    closed = next((name for name in (*tree.left_out, *tree.paths) if _below(pattern, name)), None)
    if closed:
        message = f"the pattern {pattern!r} matches no file: {closed} is not looked into"
        expected = "files of the repository itself, neither of a submodule nor behind a link"
        return _problem(where, message, expected, code="no-document")
    documents = [path for path in tree.paths if ending_of(path)]
    there = (
        f"its documents are {_named(_nearest(pattern, documents))}"
        if documents
        else (f"it has no files that end in {kinds}")
    )
    message = f"the pattern {pattern!r} matches no file of the repository; {there}"
    return _problem(where, message, code="no-document")


def _below(pattern: str, name: str) -> bool:
    return pattern.removeprefix("./").startswith(f"{name}/")


def _nearest(pattern: str, paths: Sequence[str]) -> list[str]:
    """Return the paths, those first that are written nearly like the pattern."""
    close = get_close_matches(pattern, paths, _MOST_NAMES) if len(paths) < 10_000 else []
    return [*close, *(path for path in paths if path not in close)]


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_NAMES
    return ", ".join(paths[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _problem(
    where: Position, message: str, expected: str | None = None, code: str = "document-pattern"
) -> Problem:
    return Problem(message, where, None, expected, None, code)
