"""One ``qna.yaml`` becomes a leaf, or a list of what is wrong in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.model import DocumentSource, Leaf, QuestionAnswer, SeedExample
from kfp_sdg.instructlab.taxonomy.files import FOLDERS
from kfp_sdg.instructlab.taxonomy.schema import schema_versions, taxonomy_schema
from kfp_sdg.spec.check import Checker
from kfp_sdg.spec.phrases import describe_value, how_to_mend
from kfp_sdg.spec.problems import one_of
from kfp_sdg.spec.yaml_source import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kfp_sdg.instructlab.taxonomy.files import QnaFile
    from kfp_sdg.spec.model import NodePath
    from kfp_sdg.spec.problems import Findings
    from kfp_sdg.spec.yaml_source import Document

SKILLS, KNOWLEDGE = FOLDERS
KIND = "taxonomy file"


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What came of a file.

    Attributes:
        file: The file.
        version: The version of its schema; None where it could not be read.
        text: Its text; "" where it could not be read.
        leaf: What it says; None where something is wrong in it.
    """

    file: QnaFile
    version: int | None = None
    text: str = ""
    leaf: Leaf | None = None


def read_qna(file: QnaFile, findings: Findings) -> ReadFile:
    """Read a leaf's file.

    Args:
        file: The file.
        findings: Takes everything that is wrong in it.
    """
    before = len(findings.errors)
    try:
        document = read_yaml(file.path, kind=KIND, findings=findings, file=file.shown, prose=True)
    except SpecError as error:
        findings.errors += error.problems
        return ReadFile(file)
    version = _version(document, findings)
    if version is None:
        return ReadFile(file)
    name = file.folder
    if name not in FOLDERS:
        name = KNOWLEDGE if "document" in document.content else SKILLS
    if _fits(document, version, name, findings):
        _check_texts(document, findings)
        _check_patterns(document, findings)
        _warn_of_repeated_questions(document, findings)
    text = "\n".join(document.lines)
    if len(findings.errors) > before:
        return ReadFile(file, version, text)
    path = file.leaf if file.folder in FOLDERS else f"{name}/{file.leaf}"
    return ReadFile(file, version, text, _leaf(path, file.shown, version, document))


def _version(document: Document, findings: Findings) -> int | None:
    written = document.content.get("version", 1)  # before version 2 it was not written
    where = document.source.at("version")
    known = schema_versions()
    whole = isinstance(written, float) and written.is_integer()
    if isinstance(written, bool) or not (isinstance(written, int) or whole):
        findings.error(
            where,
            f"'version' is {describe_value(written)}",
            code="wrong-type",
            expected=one_of(known),
            suggestion=how_to_mend(written, {"type": "integer"}),
        )
        return None
    if written not in known:
        findings.error(
            where,
            f"there is no version {int(written)} of the schema",
            code="schema-version",
            expected=one_of(known),
        )
        return None
    return int(written)


def _fits(document: Document, version: int, name: str, findings: Findings) -> bool:
    """Check a document against its schema."""
    schema = taxonomy_schema(version, name)
    if schema.get("deprecated"):
        # Knowledge of versions 1 and 2 has no context in its examples and no document_outline.
        # Made up, they would teach the teacher nothing: the schema package gave these versions up.
        findings.error(
            document.source.at("version"),
            f"{name} of version {version} of the schema is no longer supported",
            code="schema-version",
            expected=f"version {schema_versions()[-1]}",
            suggestion="give each seed example a context and questions_and_answers, and write a "
            "document_outline in place of the task_description",
        )
        return False
    return Checker(document.source, findings).check(document.content, schema, ())


def _check_texts(document: Document, findings: Findings) -> None:
    for path, node in document.texts.items():
        if node.value and not node.value.strip():
            name = next((part for part in reversed(path) if isinstance(part, str)), "this")
            findings.error(
                document.source.at(*path),
                f"{name!r} is nothing but white space",
                code="blank",
                expected="text",
            )


def _check_patterns(document: Document, findings: Findings) -> None:
    patterns = document.content.get("document", {}).get("patterns", ())
    for index, pattern in enumerate(patterns):
        path = PurePosixPath(pattern.strip())
        if path.is_absolute() or ".." in path.parts:
            findings.error(
                document.source.at("document", "patterns", index),
                f"the pattern {pattern.strip()!r} leads out of the documents' repository",
                code="path-leads-out",
                expected="a path below the repository's own folder, such as docs/*.md",
            )


def _warn_of_repeated_questions(document: Document, findings: Findings) -> None:
    """Warn where a question about the same context comes twice: its answers compete."""
    seen: dict[tuple[str | None, str], int] = {}
    for path, context, question in _questions(document.content):
        where = document.source.at(*path)
        first = seen.setdefault((context, question), where.line)
        if first != where.line:
            findings.warn(
                where,
                "this question is asked twice",
                code="question-twice",
                suggestion=f"the first one is on line {first}",
            )


def _questions(content: Mapping[str, Any]) -> Iterator[tuple[NodePath, str | None, str]]:
    for index, example in enumerate(content["seed_examples"]):
        for path, pair in _pairs(example):
            context = example.get("context")
            place: NodePath = ("seed_examples", index, *path, "question")
            yield place, context and context.strip(), pair["question"].strip()


def _pairs(example: Mapping[str, Any]) -> list[tuple[NodePath, Mapping[str, Any]]]:
    """Return an example's pairs: knowledge has a list of them, a skill's example is one."""
    if "questions_and_answers" not in example:
        return [((), example)]
    pairs = example["questions_and_answers"]
    return [(("questions_and_answers", index), pair) for index, pair in enumerate(pairs)]


def _leaf(path: str, shown: str, version: int, document: Document) -> Leaf:
    content = document.content
    return Leaf(
        path=path,
        file=shown,
        version=version,
        seed_examples=tuple(_seed_example(example) for example in content["seed_examples"]),
        task_description=content.get("task_description", "").strip(),
        domain=content.get("domain", "").strip(),
        document_outline=content.get("document_outline", "").strip(),
        documents=_document_source(document) if "document" in content else None,
    )


def _document_source(document: Document) -> DocumentSource:
    written, at = document.content["document"], document.source.at
    patterns = tuple(pattern.strip() for pattern in written["patterns"])
    return DocumentSource(
        repo=written["repo"].strip(),
        commit=written["commit"].strip(),
        patterns=patterns,
        places={
            **{key: at("document", key) for key in ("repo", "commit")},
            **{number: at("document", "patterns", number) for number in range(len(patterns))},
        },
    )


def _seed_example(example: Mapping[str, Any]) -> SeedExample:
    pairs = tuple(
        QuestionAnswer(pair["question"].strip(), pair["answer"].strip())
        for _, pair in _pairs(example)
    )
    context = example.get("context")
    return SeedExample(pairs, context and context.strip())
