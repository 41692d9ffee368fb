"""Collecting what is wrong in a user's files, and saying what was probably meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(slots=True)
class Findings:
    """Everything found while files are read, so that all of it can be told at once.

    Attributes:
        errors: What is wrong.
        warnings: What is doubtful but not wrong.
        unreadable: Where a value stands that YAML itself gives no meaning. That is told once;
            that the value is not what it should be would be noise.
    """

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unreadable: set[Position] = field(default_factory=set)

    def error(
        self,
        where: Position,
        message: str,
        *,
        code: str,
        block: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Note something wrong; see ``Problem`` for the arguments."""
        if where not in self.unreadable:
            self.errors.append(Problem(message, where, block, expected, suggestion, code))

    def warn(
        self,
        where: Position,
        message: str,
        *,
        code: str,
        block: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Note something doubtful; see ``Problem`` for the arguments."""
        self.warnings.append(Problem(message, where, block, None, suggestion, code))

    def raise_errors(self) -> None:
        """Raise a ``SpecError`` with all errors in the order of the files, if there are any."""
        if self.errors:
            raise SpecError(in_file_order(self.errors))


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems by line and column, files in the order in which they first appear."""
    problems = list(problems)
    files = {name: i for i, name in enumerate(dict.fromkeys(p.where.file for p in problems))}
    return tuple(
        sorted(problems, key=lambda p: (files[p.where.file], p.where.line, p.where.column))
    )


def nearest(word: str, words: Collection[str]) -> str | None:
    """Return the word most like a given one, ignoring case; None where none is like it."""
    by_lower = {known.lower(): known for known in words}
    found = get_close_matches(word.lower(), list(by_lower), n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, words: Collection[str]) -> str | None:
    """Return "did you mean 'x'?" for the nearest word, or None where none is near."""
    found = nearest(word, words)
    return f"did you mean {found!r}?" if found else None


def one_of(words: Iterable[Any]) -> str:
    """Return "one of a, b, c", or the word alone where there is only one."""
    listed = [str(word) for word in words]
    return listed[0] if len(listed) == 1 else f"one of {', '.join(listed)}"


def problem_as_dict(
    problem: Problem, severity: Literal["error", "warning"] = "error"
) -> dict[str, Any]:
    """Return a problem as JSON values, for programs that read ``validate --format json``.

    Args:
        problem: The problem.
        severity: Whether it stops the pipeline or not.

    Returns:
        The keys severity, code, file, line, column, block, message, expected, suggestion; line
        and column are null where the whole file or line is meant.
    """
    return {
        "severity": severity,
        "code": problem.code,
        "file": problem.where.file,
        "line": problem.where.line or None,
        "column": problem.where.column or None,
        "block": problem.block,
        "message": problem.message,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
    }
