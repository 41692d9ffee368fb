"""When a recurring run starts: KFP's cron expressions, looked at before they are sent.

KFP takes six fields, the seconds first, in the time zone of its server, which is UTC where nobody
set another (robfig/cron 1.2, ``Parse``). The five fields of crontab it takes too, and reads the
minutes as seconds and the day of the week as the month.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kfp_sdg.errors import Position, Problem, SpecError

_FIELDS = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    (
        "month",
        1,
        12,
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ),
    ("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_PART = re.compile(r"(\*|\?|\w+(?:-\w+)?)(?:/(\d+))?")
_WORDS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a recurring run starts.

    Attributes:
        cron: The six fields.
        notice: What was changed about what was typed, or "".
    """

    cron: str
    notice: str = ""


def schedule(text: str, *, option: str = "--recurring") -> Schedule:
    """Return a schedule of what somebody typed.

    Args:
        text: Six fields; or five as crontab has them, which then start at second 0; or a word such
            as ``@daily``.
        option: What to blame.

    Raises:
        SpecError: A field is none that KFP understands.
    """
    fields = _WORDS.get(text.strip().lower(), text).split()
    notice = ""
    if len(fields) == 5:
        fields = ["0", *fields]
        notice = (
            f"{text.strip()!r} has five fields, as crontab has them; KFP's have the seconds first: "
            f"{' '.join(fields)!r}"
        )
    problem = "" if len(fields) == len(_FIELDS) else f"it has {len(fields)} fields"
    for field, (name, least, most, words) in zip(fields, _FIELDS, strict=False):
        problem = problem or _why_not(field, name, least, most, words)
    if problem:
        raise SpecError(
            Problem(
                f"{text!r} is no schedule: {problem}",
                Position(option),
                expected="six fields: second minute hour day-of-month month day-of-week, such as "
                "'0 0 2 * * *' for two o'clock (UTC, unless the server has another zone)",
                code="cron",
            )
        )
    return Schedule(" ".join(fields), notice)


def _why_not(field: str, name: str, least: int, most: int, words: tuple[str, ...]) -> str:
    """Return why a text cannot be a field, or ""."""
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return f"{part!r} cannot be the {name}"
        numbers = []
        for end in match[1].split("-") if match[1] not in ("*", "?") else ():
            lower = end.lower()
            number = words.index(lower) + least if lower in words else None
            numbers.append(number if number is not None else int(end) if end.isdecimal() else -1)
        if any(not least <= number <= most for number in numbers):
            return f"{part!r} cannot be the {name}, which is from {least} to {most}"
        if numbers != sorted(numbers):
            return f"{part!r} begins after its end"
        if match[2] is not None and int(match[2]) == 0:
            return f"{part!r} has a step of 0"
    return ""
