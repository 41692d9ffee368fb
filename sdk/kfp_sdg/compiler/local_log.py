"""What KFP's local runner prints, read for the little that is worth knowing while it runs.

The runner has no other way to tell which task it is at. Nothing that a run's result depends on is
read from here: that is on the disk.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kfp_sdg.runtime.console import ERROR, WARNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Tasks' own lines are indented, so that no task can speak in the runner's name.
_RUNNER = re.compile(r"\d\d:\d\d:\d\d\.\d{3} - [A-Z]+ - ")
_STARTED = re.compile(_RUNNER.pattern + r"Executing task '([^']+)'")
_FINISHED = re.compile(_RUNNER.pattern + r"Task '([^']+)' finished with status (\w+)")
# The lines of kfp_sdg.runtime.progress.
_PROGRESS = re.compile(
    r".*: ([\d,]+)/[\d,]+ rows(?:, ([\d,]+) rejected)?(?:, ([\d,]+) tokens)?$", re.DOTALL
)
# Those about a teacher that is away.
_OUTAGE = re.compile(r"teacher at \S+: .*")
# What KFP's executor says before a task's own first line: its input as JSON, over many lines.
_EXECUTOR = re.compile(r"\[KFP Executor [^\]]* INFO\]: ")
_OF_A_DUMP = ("{", " ", "}")
_KEPT_LINES = 2000


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A task begins."""

    task: str


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task is over; ``succeeded`` is what the runner says, which is not always true."""

    task: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far the task is that began last, in sums since its beginning."""

    rows: int
    rejected: int
    tokens: int


@dataclass(frozen=True, slots=True)
class TaskWarning:
    """The task that began last warns of something."""

    message: str


TaskEvent: TypeAlias = TaskStarted | TaskFinished | TaskProgress | TaskWarning


class LocalLog:
    """Reads the runner's output line by line.

    Attributes:
        lines: The last lines of the task that began last, without their indentation.
    """

    def __init__(self) -> None:
        """Start before the first line."""
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._in_dump = False
        self._at_work = True  # before the first task: what keeps the runner from starting

    def events(self, output: Iterable[str]) -> Iterator[TaskEvent]:
        """Yield what happens.

        Args:
            output: The lines that the runner prints.
        """
        for raw in output:
            line = _COLOUR.sub("", raw).rstrip("\n")
            if started := _STARTED.match(line):
                self.lines.clear()
                self._at_work = True
                yield TaskStarted(started[1])
            elif finished := _FINISHED.match(line):
                self._at_work = False
                yield TaskFinished(finished[1], finished[2] == "SUCCESS")
            elif self._at_work and not _RUNNER.match(line):
                yield from self._of_task(line.removeprefix("    "))

    def _of_task(self, line: str) -> Iterator[TaskEvent]:
        """Keep a line of the task, unless KFP's executor says it, and yield what it tells."""
        if _EXECUTOR.match(line):
            self._in_dump = True
            return
        self._in_dump = self._in_dump and line.startswith(_OF_A_DUMP)
        if self._in_dump:
            return
        self.lines.append(line)
        if line.startswith(WARNING):
            yield TaskWarning(line.removeprefix(WARNING))
        elif _OUTAGE.match(line):
            yield TaskWarning(line)
        elif progress := _PROGRESS.match(line):
            yield TaskProgress(*(_number(text) for text in progress.groups()))

    def last_words(self) -> str | None:
        """Return the paragraph that the last task ended with, if it is an error of ours."""
        words: list[str] = []
        for line in reversed(self.lines):
            if line.startswith(ERROR):
                words.append(line.removeprefix(ERROR))
            elif words:
                break
        return "\n".join(reversed(words)).strip() if words else None

    def tail(self, count: int = 20) -> str:
        """Return the last lines that are not empty."""
        return "\n".join([line for line in self.lines if line.strip()][-count:])


def _number(text: str | None) -> int:
    return int((text or "0").replace(",", ""))
