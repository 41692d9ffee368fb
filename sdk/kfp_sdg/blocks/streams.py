"""Blocks at work on rows that come in one chunk after another.

A stream is fed chunks, contiguous stretches of its input in the order of the rows, and puts out
pieces, which are the same on its output's side. So whatever the chunks are, the pieces put together
are what the block would have made of all rows at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from kfp_sdg.blocks.account import Account


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of a stretch of input rows.

    Attributes:
        inputs: The input rows.
        made: The output rows.
        account: Where the rows went that are not in the output.
    """

    inputs: pa.Table
    made: pa.Table
    account: Account

    @property
    def rows_in(self) -> int:
        """How many input rows."""
        return len(self.inputs)


class Inlet(Protocol):
    """Who takes input rows."""

    def feed(self, rows: pa.Table) -> None:
        """Take the next input rows.

        A chunk without rows leads to a piece without rows, which shows the output's columns.
        """

    def end(self) -> None:
        """Take note that the last input rows have come."""


class Outlet(Protocol):
    """Who takes what comes out of a stream."""

    def put(self, piece: Piece) -> None:
        """Take the next piece."""

    def note(self, done: int, rejected: int) -> None:
        """Take note of input rows as soon as it is known what becomes of them.

        Args:
            done: Rows that the block is done with; their piece may come much later.
            rejected: Rejected rows they led to.
        """

    def close(self) -> None:
        """Take note that the last piece has come."""


class Stream(ABC):
    """A block at work.

    Attributes:
        outlet: Who takes what comes out.
    """

    def __init__(self, outlet: Outlet) -> None:
        """Begin."""
        self.outlet = outlet

    @abstractmethod
    def feed(self, rows: pa.Table) -> None:
        """Take the next input rows.

        A chunk without rows leads to a piece without rows, which shows the output's columns.
        """

    @abstractmethod
    def end(self) -> None:
        """Take note that the last input rows have come."""
