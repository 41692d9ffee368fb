"""Follow a local run: tell the observer, check every output, and find the words for a failure."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from kfp_sdg.compiler.local_log import (
    LocalLog,
    TaskFinished,
    TaskProgress,
    TaskStarted,
    TaskWarning,
)
from kfp_sdg.engine import RunResult
from kfp_sdg.errors import BlockError, SdgError, StorageError, TeacherError
from kfp_sdg.teacher import Usage

if TYPE_CHECKING:
    from kfp_sdg.compiler.local_process import LocalRunner
    from kfp_sdg.compiler.local_tasks import TaskFolders
    from kfp_sdg.compiler.package import CompiledPipeline
    from kfp_sdg.engine import Observer
    from kfp_sdg.spec import BlockSpec, PipelineSpec
    from kfp_sdg.storage import HistoryEntry

logger = logging.getLogger(__name__)

_NOTHING_YET = TaskProgress(0, 0, 0)
# The texts of the errors of kfp_sdg.errors.
_OF_TEACHER = re.compile(r"teacher(?: at (\S+))?: (.*)", re.DOTALL)
_OF_BLOCK = re.compile(r"block '[^\n]*?'(?: \(\w+\))?(?:, row (\d+))?: (.*)", re.DOTALL)


class Watch:
    """One run as it goes on. Tasks run one after the other, in the order of the blocks.

    Attributes:
        result: What came of the blocks that are done; None until the first rows are loaded.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        compiled: CompiledPipeline,
        folders: TaskFolders,
        observer: Observer,
    ) -> None:
        """Watch a run that has not begun.

        Args:
            spec: The pipeline.
            compiled: The same pipeline, compiled.
            folders: Where its tasks leave their outputs.
            observer: Who is told.
        """
        self.result: RunResult | None = None
        self._blocks = spec.blocks
        self._compiled = compiled
        self._folders = folders
        self._observer = observer
        self._log = LocalLog()
        self._told = 0
        self._progress = _NOTHING_YET

    def follow(self, runner: LocalRunner) -> RunResult:
        """Follow a run to its end.

        KFP's local runner calls some failures a success, so a block counts as done only when its
        rows are on the disk.

        Args:
            runner: The run, started.

        Returns:
            What came of it.

        Raises:
            SdgError: A task failed, in its own words, or left no output.
        """
        for event in self._log.events(runner.output()):
            match event:
                case TaskStarted(task):
                    self._start(task)
                case TaskProgress():
                    self._advance(event)
                case TaskWarning(message):
                    logger.warning("%s", message)
                case TaskFinished(task, succeeded=True):
                    self._finish(task)
        if not runner.succeeded():
            raise self._failure()
        return self._complete()

    def stopped(self) -> None:
        """Hand over to the observer what was finished before the run stopped."""
        block = self._block_at_work
        if self.result is not None and block is not None:
            self._observer.run_stopped(self.result, block.name)

    @property
    def _block_at_work(self) -> BlockSpec | None:
        """The first block that is not done."""
        done = len(self.result.history) if self.result else 0
        return self._blocks[done] if done < len(self._blocks) else None

    def _start(self, task: str) -> None:
        block = self._block_at_work
        if self.result is None or block is None or task != self._compiled.tasks[block.name]:
            return
        index = len(self.result.history) + 1
        if index == self._told:
            return
        self._told, self._progress = index, _NOTHING_YET
        rows = self.result.rows.num_rows
        self._observer.block_started(index, len(self._blocks), block.name, block.type, rows)
        self._observer.block_progress(index, arrived=rows, done=0, rejected=0, usage=Usage())

    def _advance(self, progress: TaskProgress) -> None:
        before, self._progress = self._progress, progress
        self._observer.block_progress(
            self._told,
            arrived=0,
            done=progress.rows - before.rows,
            rejected=progress.rejected - before.rejected,
            usage=Usage(completion_tokens=progress.tokens - before.tokens),
        )

    def _finish(self, task: str) -> None:
        block = self._block_at_work
        if self.result is None and task == self._compiled.load_task:
            self.result = self._loaded()
        elif self.result is not None and block and task == self._compiled.tasks[block.name]:
            outcome = self._folders.outcome(block)
            self.result = self.result.and_then(outcome)
            self._tell_finished(outcome.entry)

    def _tell_finished(self, entry: HistoryEntry) -> None:
        """Tell the observer what the last progress left out, and the block's books."""
        before = self._progress
        self._observer.block_progress(
            self._told,
            arrived=0,
            done=entry.rows_in - before.rows,
            rejected=entry.rejected - before.rejected,
            usage=Usage(
                entry.requests, entry.prompt_tokens, entry.completion_tokens - before.tokens
            ),
        )
        self._observer.block_finished(self._told, entry)

    def _complete(self) -> RunResult:
        """Return the result, catching up on tasks that the log did not tell of."""
        if self.result is None:
            self.result = self._loaded()
        while block := self._block_at_work:
            self._start(self._compiled.tasks[block.name])
            self._finish(self._compiled.tasks[block.name])
        return self.result

    def _loaded(self) -> RunResult:
        """Return the result before the first block."""
        loaded = self._folders.first_rows()
        return RunResult(loaded.table, earlier=tuple(loaded.manifest.history))

    def _failure(self) -> SdgError:
        """Return the error of the task at work, in its own words where it had any."""
        block = self._block_at_work if self.result else None
        words = self._log.last_words()
        if words is None:
            lines = " / ".join(self._log.tail(2).splitlines()) or "there are none"
            words = f"the task stopped without an explanation; its last lines: {lines}"
        error = _as_error(words, block)
        error.__cause__ = RuntimeError(f"the task's log ends:\n{self._log.tail()}")
        return error


def _as_error(words: str, block: BlockSpec | None) -> SdgError:
    """Return the error that a task printed, of the kind that it was.

    Args:
        words: What the task printed: the text of an ``SdgError``.
        block: The block whose task it was; None for the task that loads the rows.
    """
    if teacher := _OF_TEACHER.match(words):
        return TeacherError(teacher[2], url=teacher[1])
    if block is None:
        return StorageError(words)
    row = None
    if itself := _OF_BLOCK.match(words):
        row = int(itself[1]) if itself[1] else None
        words = itself[2]
    return BlockError(words, block_name=block.name, block_type=block.type, row=row)
