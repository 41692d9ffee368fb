"""What a task needs from outside its container, as its inputs say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kfp_sdg.storage import places

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILE_URL = "file://"


@dataclass(frozen=True, slots=True)
class TaskNeeds:
    """What a task needs. A task that needs nothing has no network and sees its artifacts only.

    Attributes:
        asks: It asks a teacher.
        rows: The file or folder on this machine that it reads the first rows from.
        fetches: It reads the first rows from somewhere else.
        checkpoint: The folder on this machine that it keeps its answers in.
    """

    asks: bool = False
    rows: str | None = None
    fetches: bool = False
    checkpoint: str | None = None


def needs_of(command: Sequence[str]) -> TaskNeeds:
    """Return what a task needs.

    Args:
        command: The task's command line, in which KFP has put its inputs as JSON.
    """
    values = _inputs(command)
    asks = bool(values.get("teacher_url")) or values.get("teacher_endpoints", "{}") not in (
        "",
        "{}",
    )
    rows = str(values.get("input_uri", ""))
    if rows.startswith(_FILE_URL):
        rows = rows.removeprefix(_FILE_URL)
    remote = places.is_url(rows)
    return TaskNeeds(
        asks=asks,
        rows=None if remote or not rows else rows,
        fetches=remote,
        checkpoint=str(values.get("checkpoint_uri") or "") or None if asks else None,
    )


def _inputs(command: Sequence[str]) -> dict[str, Any]:
    """Return the values of a task's parameters."""
    after = dict(pairwise(command))
    given = json.loads(after.get("--executor_input", "{}"))
    return dict(given.get("inputs", {}).get("parameterValues", {}))
