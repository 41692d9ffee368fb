"""The steps of the InstructLab workflow."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from instructlab.sdg import _taxonomy_run
from instructlab.sdg._failures import TaxonomyError, as_generate_exception, as_taxonomy_error
from instructlab.sdg.utils.taxonomy import leaves_of
from kfp_sdg.instructlab.documents import (
    DEFAULT_CHUNK_WORD_COUNT,
    DEFAULT_SERVER_CTX_SIZE,
    GitAccess,
    load_documents,
)
from kfp_sdg.instructlab.evaluation import mmlu_files
from kfp_sdg.instructlab.mixing import TrainingSettings
from kfp_sdg.instructlab.pipeline_set import find_pipelines as find_set
from kfp_sdg.instructlab.postprocess import postprocess_folder
from kfp_sdg.instructlab.preprocess import preprocess as preprocess_leaves
from kfp_sdg.instructlab.preprocess import read_preprocessed, write_preprocessed
from kfp_sdg.instructlab.rows import columns_of, seed_rows
from kfp_sdg.instructlab.run_folder import RunFolder
from kfp_sdg.storage.json_lines import write_json_lines

if TYPE_CHECKING:
    from pathlib import Path

    from instructlab.sdg._context import PipelineContext
    from instructlab.sdg._taxonomy_run import LeafData
    from kfp_sdg.instructlab.model import Leaf
    from kfp_sdg.instructlab.pipeline_set import PipelineSet
    from kfp_sdg.instructlab.preprocess import Preprocessed

logger = logging.getLogger("instructlab.sdg.generate_data")

EVERYTHING = "empty"
"""The base since which all leaves have changed."""


def find_pipelines(pipeline: str) -> PipelineSet:
    """Return the pipelines of the kinds by an alias or a folder.

    Raises:
        GenerateException: There are none, or they are wrong.
    """
    with as_generate_exception():
        return find_set(str(pipeline))


def check(context: PipelineContext, leaves: tuple[Leaf, ...], pipelines: PipelineSet) -> None:
    """Find what cannot work before documents are fetched and anything is paid for.

    Raises:
        PipelineBlockError: A block cannot be set up, or the teacher cannot be used.
        GenerateException: A pipeline is missing.
    """
    most = max(len(example.pairs) for leaf in leaves for example in leaf.seed_examples)
    kinds = sorted({kind for leaf in leaves for kind in leaf.kinds})
    columns = {kind: list(columns_of(kind, most)) for kind in kinds}
    _taxonomy_run.check(context, columns, pipelines)


def leaves(
    taxonomy: str | os.PathLike[str] | None, base: str | None, yaml_rules: str | None
) -> tuple[Leaf, ...]:
    """Return the leaves of a taxonomy that have changed; at least one."""
    if not taxonomy or not os.path.exists(taxonomy):
        raise TaxonomyError(f"Error: taxonomy ({taxonomy}) does not exist.")
    leaves = leaves_of(taxonomy, base or EVERYTHING, yaml_rules)
    if not leaves:
        raise TaxonomyError("Error: No new leaf nodes found in the taxonomy.")
    return leaves


def preprocess(
    leaves: tuple[Leaf, ...],
    taxonomy: Path,
    folder: Path,
    chunk_word_count: int | None,
    server_ctx_size: int | None,
) -> Preprocessed:
    """Fetch and cut the documents, and write the rows of the leaves."""
    with as_taxonomy_error():
        documents = load_documents(
            leaves,
            taxonomy_folder=taxonomy if taxonomy.is_dir() else taxonomy.parent,
            cache=folder / "documents",
            access=GitAccess.from_environment(os.environ),
            chunk_word_count=chunk_word_count or DEFAULT_CHUNK_WORD_COUNT,
            server_ctx_size=server_ctx_size or DEFAULT_SERVER_CTX_SIZE,
        )
        chunks = {name: found.chunks for name, found in documents.items()}
        rows = preprocess_leaves(leaves, chunks)
        write_preprocessed(rows, folder)
    logger.info("%d leaves became rows, written to %s", len(leaves), folder)
    return rows


def write_test_file(leaves: tuple[Leaf, ...], path: Path, system_prompt: str) -> None:
    """Write the contributors' own questions and answers."""
    with as_generate_exception():
        write_json_lines(path, seed_rows(leaves, system_prompt).to_pylist())


def read(folder: str | os.PathLike[str]) -> Preprocessed:
    """Read the files of ``preprocess_taxonomy``, or of InstructLab's."""
    with as_generate_exception():
        return read_preprocessed(folder)


def generate(
    context: PipelineContext,
    rows: Preprocessed,
    pipelines: PipelineSet,
    folder: Path,
    logger: logging.Logger,
    *,
    console_output: bool,
) -> LeafData:
    """Generate, and write what came of the leaves."""
    if console_output:
        logger.info(
            "Generating from %d leaves. If the data turns out poor, stop this with Ctrl-C and give "
            "the qna.yaml files more and better examples",
            len(rows.leaves),
        )
    folder.mkdir(parents=True, exist_ok=True)
    data = _taxonomy_run.generate(context, rows, pipelines, folder, logger)
    with as_generate_exception():
        data.write(folder)
    return data


def write_books(data: LeafData, output: Path, date_suffix: str) -> None:
    """Write where the rows went in each block, and the rejected ones with their reasons."""
    with as_generate_exception():
        RunFolder(output, date_suffix).write_books(data.generated)


def evaluate(context: PipelineContext, rows: Preprocessed, output: Path, date_suffix: str) -> None:
    """Ask for questions to test with, and write them."""
    asked = _taxonomy_run.evaluate(context, rows)
    with as_generate_exception():
        for books in mmlu_files(asked.evaluation_tables(), output, date_suffix):
            logger.info("Questions to test with for leaf %s: %d", books.leaf, books.used)


def postprocess(
    generated: Path, output: Path, date_suffix: str, pipelines: PipelineSet, system_prompt: str
) -> None:
    """Make training rows, and the recipes that mix them."""
    with as_generate_exception():
        settings = TrainingSettings(
            system_prompt=system_prompt,
            auxiliary_instructions=pipelines.auxiliary_instructions,
        )
        written = postprocess_folder(generated, output, date_suffix, settings)
    for books in written.leaves:
        for reason, count in books.rejected_by_reason.items():
            logger.warning(
                "Leaf %s: no training row for %d samples (%s)", books.leaf, count, reason
            )
