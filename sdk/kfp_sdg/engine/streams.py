"""Blocks at work in the engine: column blocks and IterBlock; asking blocks bring their own."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeGuard

from kfp_sdg.blocks import Account, Block
from kfp_sdg.blocks.base import apply_block
from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS
from kfp_sdg.blocks.streams import Outlet, Piece, Stream
from kfp_sdg.errors import BlockError, SdgError

if TYPE_CHECKING:
    import pyarrow as pa

    from kfp_sdg.blocks.asking import AskingBlock
    from kfp_sdg.blocks.exchange import Exchange
    from kfp_sdg.blocks.iter import IterBlock
    from kfp_sdg.spec import BlockSpec
    from kfp_sdg.teacher import RequestStatistics


class ColumnStream(Stream):
    """A block that turns each chunk into a piece at once."""

    def __init__(self, block_spec: BlockSpec, block: Block, outlet: Outlet) -> None:
        """Begin.

        Args:
            block_spec: The block's entry in the pipeline, for errors.
            block: The block; given all rows in one chunk unless it is row-wise.
            outlet: Who takes what comes out.
        """
        super().__init__(outlet)
        self._block_spec = block_spec
        self._block = block

    def feed(self, rows: pa.Table) -> None:
        """Let the block work; whatever goes wrong inside of it names the block."""
        account = Account()
        made = self._apply(rows, account)
        self.outlet.note(rows.num_rows, len(account.rejections))
        self.outlet.put(Piece(rows, made, account))

    def end(self) -> None:
        """Pass the end on."""
        self.outlet.close()

    def _apply(self, rows: pa.Table, account: Account) -> pa.Table:
        import pyarrow as pa

        try:
            made = apply_block(self._block, rows, account)
        except SdgError:
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise self._error(f"failed: {told}") from error
        if not isinstance(made, pa.Table):
            raise self._error(f"returned {type(made).__name__} where rows were expected")
        twice = sorted({name for name in made.column_names if made.column_names.count(name) > 1})
        if twice:
            raise self._error(f"made more than one column named {', '.join(map(repr, twice))}")
        return made

    def _error(self, message: str) -> BlockError:
        spec = self._block_spec
        return BlockError(message, block_name=spec.name, block_type=spec.type)


class IterStream(Stream):
    """An IterBlock at work: all iterations at once, put out one after another.

    The rows of the first iteration go on as they come; those of the later ones are kept until the
    iterations before them are through.
    """

    def __init__(
        self,
        block: IterBlock,
        outlet: Outlet,
        exchange: Exchange,
        *,
        scope: str,
        statistics: RequestStatistics,
    ) -> None:
        """Begin; see ``AskingStream`` for the arguments."""
        super().__init__(outlet)
        self._at = 0
        self._lanes = [_Lane(self, number) for number in range(block.num_iters)]
        for number, lane in enumerate(self._lanes):
            lane.stream = open_asking(
                block.inner, lane, exchange, scope=f"{scope}/{number}", statistics=statistics
            )

    def feed(self, rows: pa.Table) -> None:
        """Feed every iteration."""
        for lane in self._lanes:
            lane.stream.feed(rows)

    def end(self) -> None:
        """End every iteration."""
        for lane in self._lanes:
            lane.stream.end()

    def put_in_turn(self) -> None:
        """Put out what there is of the iteration whose turn it is, and of those after it."""
        while self._at < len(self._lanes):
            lane = self._lanes[self._at]
            while lane.pieces:
                self.outlet.put(lane.pieces.popleft())
            if not lane.is_closed:
                return
            self._at += 1
            if self._at == len(self._lanes):
                self.outlet.close()


class _Lane:
    """What comes out of one iteration."""

    stream: Stream

    def __init__(self, owner: IterStream, number: int) -> None:
        self.pieces: deque[Piece] = deque()
        self.is_closed = False
        self._owner = owner
        self._number = number

    def put(self, piece: Piece) -> None:
        """Take a piece; the rows that later iterations start from count as added."""
        if self._number:
            piece.account.added += piece.rows_in
            piece = Piece(piece.inputs.schema.empty_table(), piece.made, piece.account)
        self.pieces.append(piece)
        self._owner.put_in_turn()

    def note(self, done: int, rejected: int) -> None:
        self._owner.outlet.note(done, rejected)

    def close(self) -> None:
        self.is_closed = True
        self._owner.put_in_turn()


def is_column_block(block: Block) -> bool:
    """Tell whether a block is one of ours that asks nobody and works row by row.

    What a custom class says of itself is not relied on: it may inherit it.
    """
    kind = type(block)
    return block.row_wise and kind.__module__ == BUILTIN_BLOCKS.get(kind.__name__)


def can_stream(block: Block) -> TypeGuard[AskingBlock | IterBlock]:
    """Tell whether rows may stream through a block that asks a teacher.

    An asking block's rows can, unless a custom class has its own idea of ``apply`` or ``generate``;
    and those of an IterBlock around one.
    """
    from kfp_sdg.blocks.asking import AskingBlock
    from kfp_sdg.blocks.iter import IterBlock

    if type(block) is IterBlock:
        return block.num_iters > 0 and can_stream(block.inner)
    return (
        isinstance(block, AskingBlock)
        and block.row_wise
        and type(block).apply is AskingBlock.apply
        and type(block).generate is Block.generate
    )


def open_asking(
    block: Block,
    outlet: Outlet,
    exchange: Exchange,
    *,
    scope: str,
    statistics: RequestStatistics,
) -> Stream:
    """Begin to stream rows through a block that asks a teacher.

    Args:
        block: The block, prepared; ``can_stream``.
        outlet: Who takes what comes out.
        exchange: Where the requests go.
        scope: Who asks, for the requests.
        statistics: Counts what the requests take.
    """
    from kfp_sdg.blocks.asking import AskingBlock
    from kfp_sdg.blocks.asking_stream import AskingStream
    from kfp_sdg.blocks.iter import IterBlock

    if isinstance(block, IterBlock):
        return IterStream(block, outlet, exchange, scope=scope, statistics=statistics)
    if not isinstance(block, AskingBlock):
        raise TypeError(f"{type(block).__name__} asks no teacher")
    return AskingStream(block, outlet, exchange, scope=scope, statistics=statistics)


def passes(block: Block) -> int:
    """Return how many times a block works on each row: once, but for IterBlock."""
    from kfp_sdg.blocks.iter import IterBlock

    return max(1, block.num_iters) * passes(block.inner) if isinstance(block, IterBlock) else 1


def choices_per_row(block: Block, scale: int | None = None) -> int:
    """Return how many choices a block asks for about each row; 1 where it asks nobody.

    Args:
        block: The block, prepared.
        scale: The mean scale factor of rows that have their own.
    """
    from kfp_sdg.blocks.asking import AskingBlock
    from kfp_sdg.blocks.iter import IterBlock

    inner = block
    while isinstance(inner, IterBlock):
        inner = inner.inner
    n = getattr(inner, "n", 1)
    if scale is not None and isinstance(inner, AskingBlock) and inner.generation.n.is_scaled:
        n = inner.generation.n.of(scale)
    return passes(block) * max(1, n)
