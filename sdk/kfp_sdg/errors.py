"""The errors of kfp-sdg, each worded for the person who can fix it.

SdgError
├── SpecError      a pipeline YAML, prompt config or option is wrong (the user's mistake)
├── BlockError     a block cannot do its work on these rows
├── TeacherError   the model server cannot be used
├── StorageError   rows cannot be read or written
└── ClusterError   Kubeflow, KServe or OpenShift AI refused or failed

Terminated is none of them: nothing is wrong, somebody wants the process to end (SIGTERM).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file.

    Attributes:
        file: The path as the user wrote it, for display.
        line: The line, counted from 1; 0 when the whole file is meant.
        column: The column, counted from 1; 0 when the whole line is meant.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return ``file:line:column``, leaving out what is not known."""
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or, as a warning, doubtful) in a user's file.

    Attributes:
        message: What is wrong, one sentence, without its place.
        where: The place in the file.
        block: The name of the block it is in, if it is in one.
        expected: What would have been right, as a phrase ("one of eq, ne, ge").
        suggestion: The nearest valid word, or what to do.
        code: A stable short name of the kind of problem, for machines ("unknown-key").
    """

    message: str
    where: Position
    block: str | None = None
    expected: str | None = None
    suggestion: str | None = None
    code: str = "invalid"

    def __str__(self) -> str:
        """Return the problem as one readable line."""
        text = f"{self.where}: "
        if self.block:
            text += f"block {self.block!r}: "
        text += self.message
        if self.expected:
            text += f"; expected {self.expected}"
        if self.suggestion:
            text += f" ({self.suggestion})"
        return text


class SdgError(Exception):
    """Base of all errors that kfp-sdg raises on purpose.

    Attributes:
        exit_code: What the command line exits with: 2 for the user's mistakes, 1 for failures.
    """

    exit_code = 1


class SpecError(SdgError):
    """A pipeline, a prompt config or an option is wrong; holds every problem that was found."""

    exit_code = 2

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        """Keep all problems, in the order of the file.

        Args:
            problems: One problem or several; at least one.
        """
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class BlockError(SdgError):
    """A block cannot do its work on the rows that reached it."""

    def __init__(
        self,
        message: str,
        *,
        block_name: str | None = None,
        block_type: str | None = None,
        row: int | None = None,
    ) -> None:
        """Name the block and, where one row is at fault, the row.

        Args:
            message: What is wrong and what to do about it.
            block_name: The block's name in the pipeline.
            block_type: The block's registered type name.
            row: Index of the row in the block's input, counted from 0.
        """
        self.message = message
        self.block_name = block_name
        self.block_type = block_type
        self.row = row
        place = f"block {block_name!r}" if block_name else "block"
        if block_type:
            place += f" ({block_type})"
        if row is not None:
            place += f", row {row}"
        super().__init__(f"{place}: {message}")


class TeacherError(SdgError):
    """The teacher (the model server) cannot be used, or refused a request for good.

    Attributes:
        url: The server's base URL, or None before one is known.
        status: The HTTP status, or None where no answer came.
        server_message: What the server itself said.
        fatal: True when no other request can succeed either (wrong key, unknown model);
            False when only this request is at fault, so that only its row is rejected.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str | None = None,
        status: int | None = None,
        server_message: str | None = None,
        fatal: bool = False,
    ) -> None:
        """Keep what is known about the failure."""
        self.url = url
        self.status = status
        self.server_message = server_message
        self.fatal = fatal
        text = f"teacher at {url}: {message}" if url else f"teacher: {message}"
        if server_message and server_message not in message:
            text += f" (the server said: {server_message})"
        super().__init__(text)


class StorageError(SdgError):
    """Rows cannot be read from, or written to, a place."""


class ClusterError(SdgError):
    """Kubeflow, KServe or OpenShift AI refused a request or failed."""


class Terminated(SystemExit):
    """The process was asked to end (SIGTERM, as a pod that is evicted) and has some time for it.

    A ``SystemExit``, so that no handler of errors keeps it, and a process that lets it pass ends
    with ``EXIT_CODE``.
    """

    EXIT_CODE = 143
    """What shells use for a process that SIGTERM ended: 128 and the signal's number."""

    def __init__(self) -> None:
        """Carry the exit code."""
        super().__init__(self.EXIT_CODE)

    def __str__(self) -> str:
        """Return what happened, for people."""
        return "stopped by SIGTERM"


__all__ = [
    "BlockError",
    "ClusterError",
    "Position",
    "Problem",
    "SdgError",
    "SpecError",
    "StorageError",
    "TeacherError",
    "Terminated",
]
