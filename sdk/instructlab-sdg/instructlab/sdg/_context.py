"""What a run tells its blocks, as InstructLab has it."""

from __future__ import annotations

import copy
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from instructlab.sdg._client import connect_to
from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openai import OpenAI

    from kfp_sdg.teacher import TeacherPool
    from kfp_sdg.teacher.journal import Journal

DEFAULT_MAX_NUM_TOKENS = 4096
"""Longest answer of a block that does not say."""


class Connection:
    """The way to the teacher of a context, opened when somebody first asks."""

    def __init__(self, client: Any, journal: Journal | None = None) -> None:
        """Keep what is needed to open it."""
        self._client = client
        self._journal = journal
        self._pool: TeacherPool | None = None

    @property
    def pool(self) -> TeacherPool:
        """The teacher."""
        if self._pool is None:
            self._pool = connect_to(self._client, self._journal)
        return self._pool

    def close(self) -> None:
        """Give the teacher back, if there is one."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


@dataclass
class PipelineContext:
    """A run's settings, the same for all of its blocks.

    The kfp-sdg engine takes it as it is.

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

    constrain: ClassVar[bool] = False
    """Send no grammars."""
    max_rejected: ClassVar[str] = "100%"
    """Never stop for rows that were rejected."""

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
        """The teacher behind the client; None without a client."""
        if self.client is None:
            return None
        connection: Connection | None = self.__dict__.get("_connection")
        if connection is None:
            connection = self.__dict__["_connection"] = Connection(self.client)
            weakref.finalize(self, connection.close)
        return connection.pool

    @contextmanager
    def connected(self, journal_folder: Path | None = None) -> Iterator[PipelineContext]:
        """Yield a copy of the context with a connection of its own, for one run.

        Args:
            journal_folder: Where the run's answers are kept and looked for; None for nowhere. If
                another process is at work there, a warning says so and nothing is kept.
        """
        with _opened(journal_folder) as journal:
            connection = Connection(self.client, journal)
            context = copy.copy(self)
            context.__dict__["_connection"] = connection
            try:
                yield context
            finally:
                connection.close()


@contextmanager
def _opened(folder: Path | None) -> Iterator[Journal | None]:
    if folder is None:
        yield None
        return
    import logging

    from kfp_sdg.teacher.journal import open_journal

    try:
        journal = open_journal(folder)
    except StorageError as error:
        logging.getLogger(__name__).warning("answers are not kept: %s", error)
        yield None
        return
    with journal:
        yield journal
