"""What a run tells its blocks: as InstructLab has it, and as the kfp-sdg engine takes it."""

from __future__ import annotations

import logging
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from instructlab.sdg._client import connect_to
from kfp_sdg.blocks import PipelineContext as KfpContext
from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openai import OpenAI

    from kfp_sdg.teacher import TeacherPool
    from kfp_sdg.teacher.journal import Journal

logger = logging.getLogger(__name__)

DEFAULT_MAX_NUM_TOKENS = 4096
"""Longest answer of a block that does not say."""

ANY_NUMBER = "100%"
"""How many rows a block may reject: InstructLab never stops for them."""


@dataclass
class PipelineContext:
    """A run's settings, the same for all of its blocks.

    Attributes:
        client: The teacher: an ``openai.OpenAI``, or anything with its interface.
        model_family: The chat format to use, over the blocks' own.
        model_id: The model to ask, over the blocks' own.
        num_instructions_to_generate: What ``n: scaled`` stands for.
        dataset_num_procs: No effect: nothing is done in further processes.
        checkpoint_dir: Where a run keeps its answers and its rows, to go on from.
        save_freq: No effect: every answer is kept as soon as it is there.
        max_num_tokens: The longest answer of the block ``gen_knowledge``, if it is not the default.
        batch_size: No effect on rows: they stream.
        batch_num_workers: No effect: how many requests are under way is found while they are.
    """

    DEFAULT_BATCH_SIZE: ClassVar[int] = 8
    DEFAULT_DATASET_NUM_PROCS: ClassVar[int] = 8

    client: OpenAI
    model_family: str | None = None
    model_id: str | None = None
    num_instructions_to_generate: int | None = None
    dataset_num_procs: int | None = DEFAULT_DATASET_NUM_PROCS
    checkpoint_dir: str | None = None
    save_freq: int | None = 1
    max_num_tokens: int | None = DEFAULT_MAX_NUM_TOKENS
    batch_size: int = DEFAULT_BATCH_SIZE
    batch_num_workers: int | None = None

    @property
    def batching_enabled(self) -> bool:
        """Whether InstructLab would split the rows: a batch size above 0 and not one worker."""
        return self.batch_size > 0 and self.batch_num_workers != 1

    @property
    def teachers(self) -> TeacherPool | None:
        """The teacher behind the client, for blocks that are made by hand; None without a client.

        The connection lasts as long as the context.
        """
        if self.client is None:
            return None
        pool: TeacherPool | None = self.__dict__.get("_teachers")
        if pool is None:
            pool = self.__dict__["_teachers"] = connect_to(self.client)
            weakref.finalize(self, pool.close)
        return pool

    def __getattr__(self, name: str) -> Any:
        """Return what blocks of kfp-sdg know beyond that, where such a block is made by hand."""
        if name.startswith("_") or not hasattr(KfpContext, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(run_context(self), name)


@dataclass(frozen=True)
class RunContext(KfpContext):
    """What blocks are given in a run: a context of kfp-sdg that also says what InstructLab's does.

    Attributes:
        client: As in the context it is made from, like all that follow.
        dataset_num_procs: A number of processes.
        checkpoint_dir: A folder.
        save_freq: A number of datasets.
        batch_size: A number of rows.
        batch_num_workers: A number of threads.
        context: The context it is made from.
    """

    client: Any = None
    dataset_num_procs: int | None = PipelineContext.DEFAULT_DATASET_NUM_PROCS
    checkpoint_dir: str | None = None
    save_freq: int | None = 1
    batch_size: int = PipelineContext.DEFAULT_BATCH_SIZE
    batch_num_workers: int | None = None
    context: PipelineContext | None = field(default=None, compare=False, repr=False)

    def __getattr__(self, name: str) -> Any:
        """Return what else the context has, such as what a subclass of it adds."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "context"), name)


def run_context(context: PipelineContext, teachers: TeacherPool | None = None) -> RunContext:
    """Return what blocks are given in a run.

    Args:
        context: The run's settings.
        teachers: Who answers.
    """
    return RunContext(
        teachers=teachers,
        model_family=context.model_family,
        model_id=context.model_id,
        num_instructions_to_generate=context.num_instructions_to_generate,
        max_num_tokens=context.max_num_tokens or DEFAULT_MAX_NUM_TOKENS,
        max_rejected=ANY_NUMBER,
        client=context.client,
        dataset_num_procs=context.dataset_num_procs,
        checkpoint_dir=context.checkpoint_dir,
        save_freq=context.save_freq,
        batch_size=context.batch_size,
        batch_num_workers=context.batch_num_workers,
        context=context,
    )


@contextmanager
def connected(context: PipelineContext, journal_folder: Path | None) -> Iterator[RunContext]:
    """Yield what blocks are given in a run, with a connection to the teacher for the run alone.

    Args:
        context: The run's settings.
        journal_folder: Where the run's answers are kept and looked for; None for nowhere. If
            another process is at work there, a warning says so and nothing is kept.
    """
    if context.client is None:
        yield run_context(context)
        return
    with _opened(journal_folder) as journal, connect_to(context.client, journal) as teachers:
        yield run_context(context, teachers)


@contextmanager
def _opened(folder: Path | None) -> Iterator[Journal | None]:
    if folder is None:
        yield None
        return
    from kfp_sdg.teacher.journal import open_journal

    try:
        journal = open_journal(folder)
    except StorageError as error:
        logger.warning("answers are not kept: %s", error)
        yield None
        return
    with journal:
        yield journal
