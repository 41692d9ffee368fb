"""A migration as a parameter file, as a report for people, and as JSON for programs."""

from __future__ import annotations

import json
import shlex
import textwrap
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.migrate.model import PARAMS, Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kfp_sdg.cluster.migrate.model import Command, Entry, Migration

_WIDTH = 96


def parameter_file(migration: Migration) -> str:
    """Return the parameters of a run as YAML: a mapping from name to value, with comments.

    A parameter that a person has to give is a comment, so that a run without it is refused.
    """
    head = (
        f"Parameters of a run of kfp-sdg's workflow, made of {migration.file} ({migration.kind})."
    )
    lines = [*_comment(head)]
    for setting in migration.settings:
        lines += ["", *_comment(setting.comment)]
        if setting.value is None:
            lines.append(f"# to decide:\n# {setting.name}:")
        else:
            lines.append(f"{setting.name}: {json.dumps(setting.value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def report(migration: Migration, params: str) -> str:
    """Return what became of what, for people.

    Args:
        migration: The migration.
        params: The parameter file's name, for the commands.
    """
    blocks = [f"{migration.file}: {migration.kind}"]
    became = [entry for entry in migration.entries if entry.fate is Fate.BECAME]
    blocks.append(_section("What became of it", _became(became)))
    if migration.decisions:
        lines = [
            line
            for number, decision in enumerate(migration.decisions, start=1)
            for line in (*_wrapped(f"{number}. {decision.what}"), *_indented(decision.how))
        ]
        blocks.append(_section("To decide", lines))
    blocks.append(_section("Without a counterpart", _without(migration.entries)))
    lines = [f"# {c.purpose}\n{_with(c, params)}" for c in migration.commands]
    blocks.append(_section("To type", lines))
    return "\n\n".join(blocks) + "\n"


def as_json(migration: Migration, params: str) -> dict[str, Any]:
    """Return a migration for programs.

    Args:
        migration: The migration.
        params: The parameter file's name, for the commands.
    """
    from kfp_sdg.spec.problems import problem_as_dict

    return {
        "kind": migration.kind,
        "parameters": migration.parameters,
        "entries": [
            {
                "name": entry.name,
                "value": entry.value,
                "line": entry.where.line if entry.where else None,
                "fate": entry.fate.value,
                "became": entry.became,
                "why": entry.why,
            }
            for entry in migration.entries
        ],
        "decisions": [{"what": d.what, "how": d.how} for d in migration.decisions],
        "commands": [{"purpose": c.purpose, "line": _with(c, params)} for c in migration.commands],
        "warnings": [problem_as_dict(warning, "warning") for warning in migration.warnings],
    }


def _with(command: Command, params: str) -> str:
    """Return a command's line with the parameter file's name."""
    return command.line.replace(PARAMS, shlex.quote(params))


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, "-" * len(title), *lines])


def _became(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        default = "" if entry.where else " (their default)"
        yield f"{_shown(entry)}{default} -> {entry.became}"
        if entry.why:
            yield from _indented(entry.why)


def _without(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the entries without a counterpart by their reason; defaults only by name."""
    by_reason: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.fate is Fate.NO_COUNTERPART:
            by_reason.setdefault(entry.why, []).append(entry)
    for why, group in by_reason.items():
        given = [_shown(entry) for entry in group if entry.where]
        absent = [entry.name for entry in group if not entry.where]
        if given:
            yield from _wrapped(", ".join(given))
        if absent:
            yield from _wrapped(f"{'also' if given else 'not in the file'}: {', '.join(absent)}")
        yield from _indented(why)


def _shown(entry: Entry) -> str:
    return f"{entry.name}: {json.dumps(entry.value, ensure_ascii=False)}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
