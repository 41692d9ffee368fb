"""What a preflight found, for a log, a dashboard, a terminal and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import TeacherError
from kfp_sdg.runtime.preview import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was checked: "server", "key", "model", "context", "answer", "grammar".
        subject: The server's URL, or the model's name.
        state: How it ended.
        text: What was found; where it failed, with what to do.
    """

    check: str
    subject: str
    state: State
    text: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.check} {self.subject}: {self.text}"


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """All findings of a preflight, in the order of the checks.

    Attributes:
        findings: What was found.
    """

    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What has to be put right before a run."""
        return self._with(State.FAILED)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What a run can go on with."""
        return self._with(State.WARNING)

    def raise_failures(self) -> None:
        """Raise one ``TeacherError`` about everything that failed, if anything did."""
        if not self.failed:
            return
        told = [str(finding) for finding in self.failed]
        if len(told) == 1:
            raise TeacherError(f"the preflight failed: {told[0]}", fatal=True)
        lines = "\n".join(f"{i}. {line}" for i, line in enumerate(told, start=1))
        raise TeacherError(f"the preflight found {len(told)} things wrong:\n{lines}", fatal=True)

    @property
    def verdict(self) -> str:
        """The outcome in one sentence."""
        if self.failed:
            return f"{len(self.failed)} of {len(self.findings)} checks failed."
        return "The teacher is ready."

    def as_dict(self) -> dict[str, Any]:
        """Return what programs read."""
        return {
            "ready": not self.failed,
            "findings": [
                {**asdict(finding), "state": finding.state.value} for finding in self.findings
            ],
        }

    def markdown(self) -> str:
        """Return the page for the dashboard."""
        rows = (
            f"| {finding.state} | {' | '.join(map(escaped, _cells(finding)))} |"
            for finding in self.findings
        )
        header = ("| | check | of | found |", "| --- | --- | --- | --- |")
        return "\n\n".join(["# Preflight", self.verdict, "\n".join((*header, *rows))]) + "\n"

    def _with(self, state: State) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state is state)


def _cells(finding: Finding) -> Iterable[str]:
    return finding.check, finding.subject, finding.text
