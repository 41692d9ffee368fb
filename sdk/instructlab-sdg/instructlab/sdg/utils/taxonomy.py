"""Taxonomies, as InstructLab's other packages read them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructlab.schema.taxonomy import TaxonomyReadingException

from instructlab.sdg._failures import TaxonomyError, as_taxonomy_error
from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.taxonomy import read_taxonomy as read_leaves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from datasets import Dataset

    from kfp_sdg.instructlab.model import Leaf

_NO_LEAVES = "no-leaves"


def read_taxonomy(
    taxonomy: str | os.PathLike[str],
    taxonomy_base: str,
    yaml_rules: str | None = None,
    document_output_dir: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """Return the seed examples of a taxonomy, and fetch the documents of knowledge.

    Args:
        taxonomy: The taxonomy's folder, or one ``qna.yaml``.
        taxonomy_base: The branch or commit since which leaves have changed; "empty" for all.
        yaml_rules: A file with yamllint's configuration; InstructLab's where there is none.
        document_output_dir: Where documents go; a new folder for them where not given.

    Returns:
        An object for each seed example, with its leaf's path as ``taxonomy_path``
        ("knowledge->science->birds"). Of a skill: ``instruction``, ``input``, ``output``,
        ``task_description``. Of knowledge: ``questions_and_answers``, ``context``,
        ``document_outline``, ``filepaths``. Nothing where no leaf has changed.

    Raises:
        TaxonomyReadingException: Files are wrong (all that is wrong with them, by line), or
            documents cannot be fetched. It is a ``GenerateException`` too.
    """
    leaves = leaves_of(taxonomy, taxonomy_base, yaml_rules)
    files = _documents(leaves, Path(taxonomy), document_output_dir)
    return [seed for leaf in leaves for seed in _seeds(leaf, files.get(leaf.name))]


def read_taxonomy_leaf_nodes(
    taxonomy: str | os.PathLike[str],
    taxonomy_base: str,
    yaml_rules: str | None,
    document_output_dir: str | os.PathLike[str] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Return what ``read_taxonomy`` does by the ``taxonomy_path`` of the leaves."""
    nodes: dict[str, list[dict[str, Any]]] = {}
    for seed in read_taxonomy(taxonomy, taxonomy_base, yaml_rules, document_output_dir):
        nodes.setdefault(seed["taxonomy_path"], []).append(seed)
    return nodes


def leaf_node_to_samples(
    leaf_node: Sequence[Mapping[str, Any]],
    server_ctx_size: int,
    chunk_word_count: int,
    document_output_dir: str | os.PathLike[str],
    model_name: str | None,
    docling_model_path: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Return the rows that are generated from for a leaf.

    Args:
        leaf_node: The leaf's seed examples, see ``read_taxonomy_leaf_nodes``.
        server_ctx_size: The teacher's context in tokens.
        chunk_word_count: The most words of a piece of a document.
        document_output_dir: No effect.
        model_name: No effect.
        docling_model_path: The folder of docling's models.

    Raises:
        TaxonomyReadingException: A document cannot be read.
    """
    from instructlab.sdg.utils.chunkers import DocumentChunker
    from kfp_sdg.blocks.dataset import to_dataset
    from kfp_sdg.instructlab.rows import leaf_rows

    files = leaf_node[0].get("filepaths") or ()
    chunks: list[str] = []
    if files:
        chunks = DocumentChunker(
            files,
            document_output_dir,
            docling_model_path=docling_model_path,
            server_ctx_size=server_ctx_size,
            chunk_word_count=chunk_word_count,
        ).chunk_documents()
    return to_dataset(leaf_rows(_leaf(leaf_node), chunks))


def leaves_of(
    taxonomy: str | os.PathLike[str], base: str, yaml_rules: str | None
) -> tuple[Leaf, ...]:
    """Return the leaves of a taxonomy that have changed; none is no error.

    Raises:
        TaxonomyReadingException: Files are wrong.
    """
    rules = yaml_rules if yaml_rules and os.path.isfile(yaml_rules) else None
    with as_taxonomy_error():
        try:
            return read_leaves(taxonomy, base=base, yaml_rules=rules)
        except SpecError as error:
            if {problem.code for problem in error.problems} == {_NO_LEAVES}:
                return ()
            raise


def _documents(
    leaves: tuple[Leaf, ...], taxonomy: Path, folder: str | os.PathLike[str] | None
) -> dict[str, tuple[Path, ...]]:
    from kfp_sdg.instructlab.documents import GitAccess, fetch_documents

    if all(leaf.documents is None for leaf in leaves):
        return {}
    cache = Path(folder or tempfile.mkdtemp(prefix="documents_"))
    with as_taxonomy_error():
        return fetch_documents(
            leaves,
            taxonomy_folder=taxonomy if taxonomy.is_dir() else taxonomy.parent,
            cache=cache,
            access=GitAccess.from_environment(os.environ),
        )


def _leaf(leaf_node: Sequence[Mapping[str, Any]]) -> Leaf:
    """Return the leaf that seed examples in InstructLab's words are of."""
    from kfp_sdg.instructlab.model import DocumentSource, Leaf, QuestionAnswer, SeedExample

    first = leaf_node[0]
    is_knowledge = "questions_and_answers" in first
    examples = []
    for seed in leaf_node:
        pairs = seed.get("questions_and_answers") or [
            {"question": seed["instruction"], "answer": seed["output"]}
        ]
        context = seed["context" if is_knowledge else "input"] or None
        said = tuple(QuestionAnswer(pair["question"], pair["answer"]) for pair in pairs)
        examples.append(SeedExample(said, context))
    return Leaf(
        path=first["taxonomy_path"].replace("->", "/"),
        file=first["taxonomy_path"],
        version=0,
        seed_examples=tuple(examples),
        task_description=first.get("task_description") or "",
        domain=first.get("domain") or "",
        document_outline=first.get("document_outline") or "",
        documents=DocumentSource("", "", ()) if is_knowledge else None,
    )


def _seeds(leaf: Leaf, files: tuple[Path, ...] | None) -> list[dict[str, Any]]:
    """Return a leaf's seed examples in InstructLab's words."""
    path = leaf.path.replace("/", "->")
    if leaf.documents is not None:
        return [
            {
                "questions_and_answers": [
                    {"question": pair.question, "answer": pair.answer} for pair in example.pairs
                ],
                "context": example.context or "",
                "taxonomy_path": path,
                "filepaths": list(files or ()),
                "domain": leaf.domain,
                "document_outline": leaf.document_outline,
            }
            for example in leaf.seed_examples
        ]
    return [
        {
            "instruction": example.pairs[0].question,
            "input": example.context or "",
            "output": example.pairs[0].answer,
            "taxonomy_path": path,
            "task_description": leaf.task_description,
            "domain": leaf.domain or None,
        }
        for example in leaf.seed_examples
    ]


__all__ = [
    "TaxonomyError",
    "TaxonomyReadingException",
    "leaf_node_to_samples",
    "read_taxonomy",
    "read_taxonomy_leaf_nodes",
]
