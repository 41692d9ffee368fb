"""What a migration is made of: settings of ours, and the fate of each of theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from kfp_sdg.errors import Position, Problem

Value: TypeAlias = str | int | float | bool


class Fate(StrEnum):
    """What becomes of a setting."""

    BECAME = "became"
    NO_COUNTERPART = "no counterpart"
    DECIDE = "to decide"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting of theirs.

    Attributes:
        name: Its name.
        value: Its value in the file; their default where the file has none.
        where: Its place in the file; None where their default holds.
        fate: What becomes of it.
        became: What it became, for people: ``num_instructions_to_generate: 30``; "" for nothing.
        why: The reason, or what to know about it; "" where there is nothing to say.
    """

    name: str
    value: Any
    where: Position | None
    fate: Fate
    became: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of a run of ours.

    Attributes:
        name: Its name in the run form.
        value: Its value; None where a person has to give it.
        comment: What stands above it in the parameter file.
    """

    name: str
    value: Value | None
    comment: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the file cannot say and a person has to.

    Attributes:
        what: The question.
        how: What to do.
    """

    what: str
    how: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command to type.

    Attributes:
        purpose: What it is for.
        line: The command, quoted for a shell.
    """

    purpose: str
    line: str


@dataclass(frozen=True, slots=True)
class Migration:
    """Everything that comes of one file.

    Attributes:
        file: The file.
        kind: What it is: "parameter file of ilab-on-ocp".
        settings: The parameters of our run, in order.
        entries: What became of theirs, those of the file first.
        decisions: What is left to decide.
        commands: What to type, in order; the parameter file in them is called ``PARAMS``.
        warnings: What is doubtful in the file.
    """

    file: str
    kind: str
    settings: tuple[Setting, ...]
    entries: tuple[Entry, ...]
    decisions: tuple[Decision, ...] = ()
    commands: tuple[Command, ...] = ()
    warnings: tuple[Problem, ...] = field(default=())

    @property
    def parameters(self) -> dict[str, Value]:
        """The parameters that are known, by name."""
        return {s.name: s.value for s in self.settings if s.value is not None}


PARAMS = "PARAMS.yaml"
"""Stands for the parameter file in commands."""
