"""The block: a function from rows to rows, with a name, settings and books."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from kfp_sdg.blocks.account import Account
from kfp_sdg.errors import BlockError

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.spec import ConfigFile, PipelineSpec
    from kfp_sdg.teacher import RequestStatistics

BlockClass = TypeVar("BlockClass", bound=type)


class BlockRegistry:
    """The block types there are, by the name that pipelines use for them."""

    _types: ClassVar[dict[str, type]] = {}

    @classmethod
    def register(cls, block_name: str) -> Callable[[BlockClass], BlockClass]:
        """Return a decorator that makes a class known under a name.

        Args:
            block_name: What pipelines write as ``type``.
        """

        def decorate(block_class: BlockClass) -> BlockClass:
            cls._types[block_name] = block_class
            return block_class

        return decorate

    @classmethod
    def get_registry(cls) -> dict[str, type]:
        """Return the types registered so far by name."""
        return cls._types


class Block:
    """Base of all blocks.

    A block of ours implements ``apply`` on Arrow tables and is given ``generate``. A custom block
    written for InstructLab implements ``generate`` on ``datasets.Dataset`` and is given ``apply``;
    it keeps no books, so the difference counts as rows added or as rows filtered.

    Attributes:
        row_wise: Whether an output row depends on one input row only, so that the rows may be
            split over chunks and shards; False for a block that must see the whole dataset.
        ctx: The run's settings.
        pipe: The pipeline the block is part of; it holds the files that blocks refer to.
        block_name: The block's name in the pipeline.
    """

    row_wise: ClassVar[bool] = False

    # What asking took inside of generate, which has no account to note it in.
    _asking: RequestStatistics | None = None

    def __init__(self, ctx: PipelineContext, pipe: PipelineSpec, block_name: str) -> None:
        """Keep what every block needs; settings are the subclass's further keyword arguments."""
        self.ctx = ctx
        self.pipe = pipe
        self.block_name = block_name

    def apply(self, table: pa.Table, account: Account) -> pa.Table:
        """Turn input rows into output rows.

        Args:
            table: The input rows; not changed.
            account: The books; the block notes what it added, filtered and rejected.

        Returns:
            The output rows, in the order of the input rows they came from. With no input rows the
            result has no rows and the columns it would have had.

        Raises:
            BlockError: The block cannot work on such rows (a column is missing, a name is taken).
            TeacherError: The teacher cannot be used.
        """
        from kfp_sdg.blocks.dataset import from_dataset, to_dataset

        if type(self).generate is Block.generate:
            raise self.error("its class implements neither apply nor generate")
        self._asking = None
        made = from_dataset(self.generate_all(to_dataset(table)))
        account.statistics = account.statistics or self._asking
        surplus = made.num_rows - table.num_rows  # all that can be told: generate keeps no books
        account.added += max(surplus, 0)
        account.filtered += max(-surplus, 0)
        return made

    def generate(self, samples: Dataset) -> Dataset:
        """Turn input rows into output rows: the public face of ``apply``.

        Args:
            samples: The input rows.

        Returns:
            The output rows. Rejected rows are left out with a warning; use the engine to keep them.
        """
        from kfp_sdg.blocks.dataset import from_dataset, to_dataset, warn_of_rejections

        account = Account(statistics=self._asking)
        result = to_dataset(self.apply(from_dataset(samples), account))
        self._asking = account.statistics
        warn_of_rejections(self.block_name, account)
        return result

    def generate_all(self, samples: Dataset) -> Dataset:
        """Call ``generate`` with all rows of a run; whoever wants to may do so in parts.

        Args:
            samples: The input rows.
        """
        return self.generate(samples)

    def columns_after(self, columns: Sequence[str]) -> list[str] | None:
        """Tell which columns the output has, without doing the work.

        This finds a missing column before the first token is paid for.

        Args:
            columns: The input's columns.

        Returns:
            The output's columns in order, or None where the block cannot know (custom blocks).

        Raises:
            BlockError: A column that the block needs is missing, or a name it makes is taken.
        """
        return None

    def prepare(self) -> None:
        """Check what can be checked before the first row: that the teacher serves the model.

        The engine calls this on every block of a run before any block does paid work.

        Raises:
            BlockError: The block's settings cannot work in this run.
            TeacherError: The teacher cannot be used.
        """

    def require(self, columns: Sequence[str], needed: Iterable[str]) -> None:
        """Raise a ``BlockError`` unless the needed columns are all there."""
        missing = [name for name in dict.fromkeys(needed) if name not in columns]
        if missing:
            raise self.error(
                f"missing column{'s' if len(missing) > 1 else ''} "
                f"{', '.join(map(repr, missing))}; the rows have {', '.join(columns) or 'none'}"
            )

    def forbid(self, columns: Sequence[str], new: Iterable[str]) -> None:
        """Raise a ``BlockError`` if a column that the block makes is already there."""
        taken = [name for name in new if name in columns]
        if taken:
            raise self.error(
                f"cannot make column{'s' if len(taken) > 1 else ''} "
                f"{', '.join(map(repr, taken))}: the rows already have "
                f"{'it' if len(taken) == 1 else 'them'}; choose another name or drop the old one"
            )

    def error(self, message: str, *, row: int | None = None) -> BlockError:
        """Return a ``BlockError`` that names this block."""
        return BlockError(message, block_name=self.block_name, block_type=self.type_name, row=row)

    @property
    def type_name(self) -> str:
        """The name this block's class is registered under; the class's own name if it is not."""
        for name, block_class in BlockRegistry.get_registry().items():
            if block_class is type(self):
                return name
        return type(self).__name__

    def config_file(self, path: str) -> ConfigFile:
        """Return a file that the block's settings name.

        Args:
            path: The path as it stands there.

        Raises:
            BlockError: The pipeline was loaded without that file.
        """
        return self.pipe.file(path, block_name=self.block_name)

    def _load_config(self, config_path: str) -> dict[str, Any]:
        """Return a config file's mapping (the name that InstructLab's custom blocks call)."""
        return dict(self.config_file(config_path).content)


def apply_block(block: Block, table: pa.Table, account: Account) -> pa.Table:
    """Let a block work by whichever of ``apply`` and ``generate`` its class defines last.

    A custom block may be a subclass of one of ours and override ``generate`` alone; its inherited
    ``apply`` would pass it by.

    Args:
        block: The block.
        table: As for ``Block.apply``, like all that follows.
        account: The books.
    """
    if _defined_last(block, "apply", "generate") == "generate":
        return Block.apply(block, table, account)
    return block.apply(table, account)


def columns_after(block: Block, columns: Sequence[str]) -> list[str] | None:
    """Return ``Block.columns_after``, or None where ``generate`` was overridden without it.

    Args:
        block: The block.
        columns: The input's columns.
    """
    if _defined_last(block, "columns_after", "apply", "generate") == "generate":
        return None
    return block.columns_after(columns)


def _defined_last(block: Block, *names: str) -> str:
    """Return the first of some methods that the most special of a block's classes defines."""
    return next(name for kind in type(block).__mro__ for name in names if name in vars(kind))


register = BlockRegistry.register
