"""What the tests of the journal share: answers with numbers, kept in a folder and found there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from kfp_sdg.teacher import Answer, Choice, Usage
from kfp_sdg.teacher.journal import open_journal

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = Answer((Choice("Hello.", "stop"),), Usage(1, 20, 3))


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def answer(number: int) -> Answer:
    return Answer((Choice(f"answer {number} " * 5, "stop"),), Usage(1, 20, number))


def fill(folder: Path, numbers: range) -> None:
    with open_journal(folder) as journal:
        for number in numbers:
            journal.keep(key(number), 0, answer(number))


def found(folder: Path, numbers: range) -> dict[int, Answer]:
    """Return what is found, and hold that nothing of it is wrong."""
    with open_journal(folder) as journal:
        kept = {number: journal.find(key(number)) for number in numbers}
        assert journal.kept >= sum(map(len, kept.values()))
    for number, answers in kept.items():
        assert answers in ({}, {0: answer(number)})
    return {number: answers[0] for number, answers in kept.items() if answers}


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("segment-*"))


def in_a_process(code: str, *arguments: object, **settings) -> subprocess.CompletedProcess:
    imports = (
        "import sys; from kfp_sdg.teacher import *; from kfp_sdg.teacher.journal import *\n"
        "def answer(n): return Answer((Choice(f'answer {n} ' * 5, 'stop'),), Usage(1, 20, n))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", imports + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        **settings,
    )
