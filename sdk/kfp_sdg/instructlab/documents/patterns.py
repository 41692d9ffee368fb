"""Glob patterns against the paths of a tree."""

from __future__ import annotations

import fnmatch
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def matching(pattern: str, paths: Iterable[str]) -> list[str]:
    """Return the paths that a pattern matches, sorted.

    ``*`` and ``?`` stand for characters of one name, ``[…]`` for one of some characters, and ``**``
    as a name for any number of folders, none too. Names that begin with a dot have to be matched by
    a dot. A file's ending matches in any case: ``*.pdf`` finds ``Report.PDF``.

    Args:
        pattern: The pattern, without ``..`` and not absolute (see ``refusal``).
        paths: Paths of files below the tree's root, with ``/``.
    """
    expression = _expression(_with_small_ending(pattern))
    return sorted(path for path in paths if expression.fullmatch(_with_small_ending(path)))


def refusal(pattern: str) -> str | None:
    """Return why a pattern is refused, or None where it is not."""
    if not pattern.strip():
        return "is empty"
    if pattern.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:[/\\]", pattern):
        return "is absolute"
    if ".." in re.split(r"[/\\]", pattern):
        return "leads out of the repository"
    return None


def _with_small_ending(path: str) -> str:
    name_at = path.rfind("/") + 1
    dot = path.rfind(".", name_at)
    return path[:dot] + path[dot:].lower() if dot > name_at - 1 else path


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    if pattern.split("/")[-1] in ("", "."):  # means a folder, and only files are looked at
        return re.compile(r"(?!)")
    names = [name for name in pattern.split("/") if name not in ("", ".")]
    parts: list[str] = []
    for number, name in enumerate(names):
        last = number == len(names) - 1
        if name == "**":
            parts.append(r"(?:[^/.][^/]*/)*" + (r"[^/.][^/]*" if last else ""))
        else:
            parts.append(_name(name) + ("" if last else "/"))
    return re.compile("".join(parts))


def _name(pattern: str) -> str:
    """Translate the pattern of one name."""
    found = "" if pattern.startswith(".") else r"(?!\.)"
    here = 0
    while here < len(pattern):
        character = pattern[here]
        here += 1
        if character == "*":
            if not found.endswith("[^/]*"):
                found += "[^/]*"
        elif character == "?":
            found += "[^/]"
        elif character == "[" and (end := _end_of_set(pattern, here)):
            found += f"(?!/){_set(pattern[here:end])}"
            here = end + 1
        else:
            found += re.escape(character)
    return found


def _set(members: str) -> str:
    """Translate what stands between ``[`` and ``]``; a range such as ``z-a`` has no members."""
    inverse = members[0] in "!^"
    whole = fnmatch.translate(f"[{'!' if inverse else ''}{members[inverse:]}]")
    return whole[: -len(r"\Z")]  # here no name ends


def _end_of_set(pattern: str, start: int) -> int:
    """Return where the ``]`` of a set is, or 0: then the bracket means itself."""
    first = start + 1 if pattern[start : start + 1] in ("!", "^") else start
    return max(0, pattern.find("]", first + 1))
