"""The whole InstructLab workflow in one process: from a taxonomy to training and evaluation data.

Everything that is left in the output folder has the date of the run in its name:

preprocessed_<date>/<leaf>.jsonl    what is generated from; documents/ has the repositories
run_<date>/<part>/                  the books of each pipeline, its rows and its rejected rows
generated_<date>/<leaf>.jsonl       what was generated
node_datasets_<date>/, …            training and evaluation data, see postprocess and evaluation

A run that did not succeed leaves ``unfinished_run.json``; the next one of the same taxonomy goes on
under its date.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kfp_sdg.errors import StorageError
from kfp_sdg.instructlab.documents import (
    DEFAULT_CHUNK_WORD_COUNT,
    DEFAULT_SERVER_CTX_SIZE,
    GitAccess,
    load_documents,
)
from kfp_sdg.instructlab.documents.measure import room_for_chunks
from kfp_sdg.instructlab.generate import (
    Generated,
    Part,
    Stopped,
    check_generation,
    generate_rows,
)
from kfp_sdg.instructlab.mixing import TrainingSettings
from kfp_sdg.instructlab.mixing.node_files import KINDS
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.outcome import EmptyLeafError, LeafOutcome
from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline
from kfp_sdg.instructlab.postprocess import write_test_file
from kfp_sdg.instructlab.preprocess import Preprocessed, preprocess, write_preprocessed
from kfp_sdg.instructlab.results import write_results
from kfp_sdg.instructlab.rows import columns_of, seed_rows
from kfp_sdg.instructlab.run_folder import RunFolder
from kfp_sdg.instructlab.scale import scale_of_leaves
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from kfp_sdg.spec.scaling import SCALE_COLUMN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kfp_sdg.blocks import PipelineContext
    from kfp_sdg.engine import Observer
    from kfp_sdg.instructlab.documents import Converter
    from kfp_sdg.instructlab.mixing import Mixed
    from kfp_sdg.instructlab.model import Leaf
    from kfp_sdg.instructlab.pipeline_set import PipelineSet

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkflowOrder:
    """What is to be made of which taxonomy.

    Attributes:
        taxonomy: The taxonomy's folder, or a part of it, see ``read_taxonomy``.
        output: The output folder.
        pipelines: The pipelines of the kinds.
        date_suffix: What names in the output folder end in; None for the date of an unfinished run,
            or else of now.
        taxonomy_base: The base since which leaves have changed; "empty" for all leaves.
        yaml_rules: yamllint's configuration, see ``read_taxonomy``.
        chunk_word_count: The most words of a piece of a document.
        server_ctx_size: The teacher's context in tokens.
        scale_factors: Scale factors of leaves that have their own, see ``preprocess``.
        access: How documents may be reached.
        converter: What reads PDF, DOCX and HTML; None for docling.
        evaluate: Whether questions to test with are made.
        training: What may be chosen about training data.
        allow_empty: Whether it is a success if nothing comes of a leaf.
    """

    taxonomy: Path
    output: Path
    pipelines: PipelineSet
    date_suffix: str | None = None
    taxonomy_base: str = "empty"
    yaml_rules: str | Path | None = None
    chunk_word_count: int = DEFAULT_CHUNK_WORD_COUNT
    server_ctx_size: int = DEFAULT_SERVER_CTX_SIZE
    scale_factors: Mapping[str, int] = field(default_factory=dict)
    access: GitAccess = field(default_factory=GitAccess)
    converter: Converter | None = None
    evaluate: bool = True
    training: TrainingSettings = field(default_factory=TrainingSettings)
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """What came of a taxonomy.

    Attributes:
        folder: Where everything is.
        outcomes: What each leaf gave, sorted by name.
        generated: What came of the pipelines.
        mixes: The training data by what it is for, "knowledge" and "skills"; only where there is
            any.
    """

    folder: RunFolder
    outcomes: tuple[LeafOutcome, ...]
    generated: Generated
    mixes: Mapping[str, Mixed]


class NothingCameError(EmptyLeafError):
    """Nothing came of some leaves, though everything was done and is written.

    Attributes:
        result: What came of the others.
    """

    def __init__(self, result: WorkflowResult) -> None:
        super().__init__(result.outcomes, "--allow-empty")
        self.result = result


def run_workflow(
    order: WorkflowOrder,
    open_context: Callable[[], AbstractContextManager[PipelineContext]],
    *,
    observer: Observer | None = None,
    on_part: Callable[[Part], None] = lambda part: None,
    tell: Callable[[str], None] = lambda message: None,
) -> WorkflowResult:
    """Make training and evaluation data of a taxonomy.

    What costs nothing comes first: the taxonomy is read, then the teacher and the pipelines are
    checked, then documents are fetched, and only then is anything asked.

    Args:
        order: What is to be made.
        open_context: Opens the teachers of the run and gives its settings; they are closed when
            everything was asked.
        observer: Who watches the pipelines.
        on_part: Told before the rows of a kind begin.
        tell: Given what is worth knowing on the way, a sentence at a time.

    Returns:
        What came of each leaf, and where everything is.

    Raises:
        SpecError: The taxonomy, a document or an option is wrong.
        NothingCameError: Nothing came of some leaves, which was not allowed. Everything is written.
        BlockError: A pipeline cannot work, or stopped.
        TeacherError: The teacher cannot be used.
        StorageError: Documents cannot be fetched, or results cannot be written.
    """
    leaves = read_taxonomy(order.taxonomy, base=order.taxonomy_base, yaml_rules=order.yaml_rules)
    scales = scale_of_leaves(leaves, order.scale_factors, base=order.taxonomy_base)
    order = replace(order, scale_factors=scales)
    kinds = [kind for kind in LeafKind if any(kind in leaf.kinds for leaf in leaves)]
    pipelines = order.pipelines.all_of(kinds)
    evaluation = evaluation_pipeline() if order.evaluate else None
    if LeafKind.KNOWLEDGE in kinds:
        room_for_chunks(order.chunk_word_count, order.server_ctx_size)
    tell(_found(leaves))
    taxonomy = os.path.abspath(order.taxonomy)
    with RunFolder.hold(order.output, order.date_suffix, taxonomy) as folder:
        if folder.goes_on:
            tell(f"Going on with the run {folder.date_suffix}, which has not succeeded yet.")
        with open_context() as context:
            check_generation(_columns(leaves, order), pipelines, context, evaluation)
            folder.begin()
            rows = _rows(order, leaves, folder, tell)
            generated = generate_rows(
                {kind: rows.table(kind) for kind in kinds},
                pipelines,
                context,
                evaluation=evaluation,
                observer=observer,
                on_part=on_part,
                on_stop=lambda stopped: _keep(stopped, folder, tell),
            )
        tell("Writing training data.")
        result = _write(order, folder, generated)
        if not order.allow_empty and any(outcome.is_empty for outcome in result.outcomes):
            raise NothingCameError(result)
        folder.end()
    return result


def _columns(leaves: Sequence[Leaf], order: WorkflowOrder) -> dict[LeafKind, list[str]]:
    """Return the columns that the rows of each kind are going to have."""
    most = max((len(e.pairs) for leaf in leaves for e in leaf.seed_examples), default=1)
    scale = [SCALE_COLUMN] if order.scale_factors else []
    kinds = {kind for leaf in leaves for kind in leaf.kinds}
    return {kind: [*columns_of(kind, most), *scale] for kind in kinds}


def _rows(
    order: WorkflowOrder, leaves: Sequence[Leaf], folder: RunFolder, tell: Callable[[str], None]
) -> Preprocessed:
    """Fetch the documents and write what is generated from."""
    taxonomy = order.taxonomy if order.taxonomy.is_dir() else order.taxonomy.parent
    place = folder.clear("preprocessed", "*.jsonl")
    documents = load_documents(
        leaves,
        taxonomy_folder=taxonomy,
        cache=place / "documents",
        access=order.access,
        converter=order.converter,
        chunk_word_count=order.chunk_word_count,
        server_ctx_size=order.server_ctx_size,
    )
    if documents:
        files = sum(len(found.files) for found in documents.values())
        chunks = sum(len(found.chunks) for found in documents.values())
        tell(f"{_count(files, 'document')} in {_count(chunks, 'chunk')}.")
    rows = preprocess(
        leaves,
        {name: found.chunks for name, found in documents.items()},
        scale_factors=order.scale_factors,
    )
    write_preprocessed(rows, place)
    tests = seed_rows(leaves, order.training.system_prompt)
    write_test_file(tests, folder.output, folder.date_suffix)
    return rows


def _write(order: WorkflowOrder, folder: RunFolder, generated: Generated) -> WorkflowResult:
    """Write everything that is made of generated rows."""
    training = replace(
        order.training, auxiliary_instructions=order.pipelines.auxiliary_instructions
    )
    folder.clear("node_datasets", "*.jsonl", "*_task.yaml")
    for kind in KINDS:  # of which there may be none this time
        folder.path(f"{kind}_train_msgs", ".jsonl").unlink(missing_ok=True)
    folder.write_books(generated)
    results = write_results(generated, folder.output, folder.date_suffix, training)
    for name, books in (("training", results.training), ("evaluation", results.evaluation)):
        folder.write_rejected(name, (row for leaf in books for row in leaf.rejected_rows()))
    return WorkflowResult(folder, results.leaves, generated, results.mixes)


def _keep(stopped: Stopped, folder: RunFolder, tell: Callable[[str], None]) -> None:
    """Write what was finished of a run that stopped; that this fails must not hide why it did."""
    try:
        folder.write_stopped(stopped)
    except StorageError as error:
        logger.warning("what was finished could not be saved: %s", error)
        return
    if folder.path("run").is_dir():
        tell(f"Rows that were finished or rejected until then are kept in {folder.path('run')}.")


def _found(leaves: Sequence[Leaf]) -> str:
    """Return a sentence about the leaves of a taxonomy."""
    knowledge = sum(LeafKind.KNOWLEDGE in leaf.kinds for leaf in leaves)
    return (
        f"{_count(len(leaves), 'leaf', 'leaves')} to generate from: {knowledge} of knowledge, "
        f"{len(leaves) - knowledge} of skills."
    )


def _count(number: int, one: str, many: str = "") -> str:
    """Return "1 leaf" or "2 leaves"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
