"""What tasks leave on the disk when KFP's local runner has run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.engine import BlockOutcome
from kfp_sdg.errors import BlockError, SdgError, StorageError
from kfp_sdg.storage import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.compiler.package import CompiledPipeline
    from kfp_sdg.spec import BlockSpec
    from kfp_sdg.storage import StoredDataset


class TaskFolders:
    """The artifacts of one run, at ``<pipeline root>/<run>/<task>/<output>``."""

    def __init__(self, compiled: CompiledPipeline, pipeline_root: Path) -> None:
        """Know where to look.

        Args:
            compiled: The pipeline; its tasks name the folders.
            pipeline_root: The folder that the runner keeps artifacts in, of this run only.
        """
        self._compiled = compiled
        self._root = pipeline_root

    def first_rows(self) -> StoredDataset:
        """Return the rows that the load task read, and what was done to them before.

        Raises:
            StorageError: It left none.
        """
        return self._output(self._compiled.load_task, "output_rows")

    def outcome(self, block: BlockSpec) -> BlockOutcome:
        """Return what came of a block.

        Raises:
            BlockError: Its task left no rows, or not its own.
        """
        task = self._compiled.tasks[block.name]
        try:
            rows = self._output(task, "output_rows")
            rejected = self._output(task, "rejected_rows")
        except SdgError as error:
            raise _missing(block, str(error)) from error
        history = rows.manifest.history
        if not history or history[-1].block != block.name:
            raise _missing(block, "the last entry of the dataset's history is not the block's")
        return BlockOutcome(rows.table, rejected.table, history[-1])

    def _output(self, task: str, name: str) -> StoredDataset:
        folders = sorted(self._root.glob(f"*/{task}/{name}"))
        if not folders:
            raise StorageError(f"task {task!r} left no {name}")
        return read_dataset(folders[-1])


def _missing(block: BlockSpec, reason: str) -> BlockError:
    """Return the error of a task that KFP calls a success and that did not do its work."""
    return BlockError(
        f"KFP's local runner says that the task succeeded, but its output is not there: {reason}",
        block_name=block.name,
        block_type=block.type,
    )
